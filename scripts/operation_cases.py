"""The system test's cases for the operation of a server: request ids, reload while it runs, readiness, the end.

`register(t)` adds them to the system test `t` (the module system-test.py).
"""

import contextlib
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def wait_until(t, what, condition):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within 30 s: {what}")


def metric(w, name):
    """The value of a metric; None where it has none."""
    for line in w.http("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.rsplit(" ", 1)[1])
    return None


def reloads(w, result):
    return metric(w, f'assay_config_reloads_total{{result="{result}"}}') or 0


def server(t, w, name, text="", *more):
    """A server of its own with a configuration file."""
    other = w.another(name)
    other.config = other.folder / "assay.toml"
    other.config.write_text(text)
    other.start("--config", other.config, *more, trust_emulator=False)
    return other


def certificate(t, folder, name, to):
    """A self-signed certificate and its key in `to`.pem and `to`.key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(folder / "new.key"),
         "-out", str(folder / "new.pem")],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    # The certificate first: for a moment the two do not fit.
    (folder / "new.pem").rename(folder / f"{to}.pem")
    (folder / "new.key").rename(folder / f"{to}.key")


def shown(port):
    """The certificate that a server shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        with context.wrap_socket(plain) as stream:
            return stream.getpeercert(binary_form=True)


def register(t):
    check, case = t.check, t.case

    @case("a request keeps the id it came with, in the answer, the error and the log; an id that is none is replaced")
    def request_ids(w):
        o = server(t, w, "operation-ids", '[log]\nlevel = "debug"\njson = true\n')
        status, headers, body = o.http("POST", "/kbs/v0/auth", {}, {"x-request-id": "system-test.7", "traceparent": PARENT})
        check(status == 400 and headers["x-request-id"] == "system-test.7", f"{status} {headers}")
        check(json.loads(body)["request-id"] == "system-test.7", body)
        lines = [json.loads(line) for line in o.log(200).splitlines() if line.startswith("{")]
        check(any(line.get("span", {}).get("id") == "system-test.7" for line in lines), o.log())
        for bad in ("a b", "x" * 65, "{}", "é"):
            given = o.http("GET", "/healthz", headers={"x-request-id": bad.encode().decode("latin-1")})[1]["x-request-id"]
            check(re.fullmatch(r"[A-Za-z0-9._-]{16}", given), given)
        for bad in ("nonsense", "ff" + PARENT[2:], PARENT + "-x", "x" * 4000):
            check(o.http("GET", "/healthz", headers={"traceparent": bad, "tracestate": bad})[0] == 200, bad)
        check(o.stop(signal.SIGTERM) == 0, "it ended otherwise")

    @case("a changed configuration is taken up by itself and by SIGHUP; a broken one changes nothing and is counted")
    def reload_configuration(w):
        o = server(t, w, "operation-reload", "[limits]\nbody_bytes = 4096\n")
        token = o.mint()
        put = lambda size: o.http("POST", "/kbs/v0/resource/a/b/c", b"x" * size, token=token)[0]
        check(put(5000) == 413, "the limit of the start")
        o.config.write_text('[limits]\nbody_bytes = 8192\n[log]\nlevel = "debug"\n[server]\ndrain_seconds = 3\n')
        wait_until(t, "the change is found", lambda: reloads(o, "success") == 1)
        check(put(5000) == 200 and put(9000) == 413, "the new limit")
        log = o.log(500)
        check("server.drain_seconds" in log and "next start" in log, log)
        check("limits.body_bytes" not in log, log)
        o.http("GET", "/healthz")
        check("answered" in o.log(500), "debug lines")
        for broken in ("=", '[limits]\nbody_bytes = 4096\n[nonsense]\na = 1\n', '[limits]\nbody_bytes = 4096\n[corim]\nsigners = ["none.pem"]\n'):
            before = reloads(o, "failure")
            o.config.write_text(broken)
            o.server.send_signal(signal.SIGHUP)
            wait_until(t, "the failure is counted", lambda: reloads(o, "failure") > before)
            check(put(5000) == 200 and put(9000) == 413, f"after {broken!r}")
        check("nonsense" in o.log(500) and "none.pem" in o.log(500), o.log())
        o.config.write_text('[limits]\nbody_bytes = 4096\n')
        o.server.send_signal(signal.SIGHUP)
        wait_until(t, "SIGHUP reloads", lambda: put(5000) == 413)
        check(o.stop(signal.SIGTERM) == 0, "it ended otherwise")

    @case("a new certificate is shown to new connections; one without its key is not")
    def reload_certificate(w):
        if not shutil.which("openssl"):
            raise t.Skip("openssl is not installed")
        o = w.another("operation-tls")
        certificate(t, o.folder, "one", "server")
        log = open(o.folder / "server.log", "ab")
        o.server = subprocess.Popen(
            [o.assay, "serve", "--data-dir", str(o.data), "--listen", f"127.0.0.1:{o.port}",
             "--tls-certificate", str(o.folder / "server.pem"), "--tls-key", str(o.folder / "server.key")],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=o.folder)
        log.close()
        o.started.append(o.server)

        def now():
            with contextlib.suppress(OSError):
                return shown(o.port)

        wait_until(t, "it listens", now)
        first = now()
        certificate(t, o.folder, "two", "server")
        wait_until(t, "the second certificate is shown", lambda: now() not in (None, first))
        second = now()
        check("stays as it was" not in o.log(200), "the files were exchanged one after the other, and given the time")
        (o.folder / "server.key").write_text("no key")
        o.server.send_signal(signal.SIGHUP)
        wait_until(t, "the failure is logged", lambda: "stays as it was" in o.log(200))
        check(now() == second, "another certificate")
        certificate(t, o.folder, "three", "server")
        o.server.send_signal(signal.SIGHUP)
        wait_until(t, "the third certificate is shown", lambda: now() not in (None, first, second))
        check(o.stop(signal.SIGTERM) == 0, "it ended otherwise")

    @case("after SIGTERM a server is not ready but serves for the delay, then ends; the second signal ends it at once")
    def drain_delay(w):
        for name, again in (("operation-drain", False), ("operation-cut", True)):
            o = server(t, w, name, f"[server]\ndrain_delay_seconds = {3600 if again else 1}\n")
            o.server.send_signal(signal.SIGTERM)
            wait_until(t, "it is not ready", lambda: o.http("GET", "/readyz")[0] == 503)
            answer = json.loads(o.http("GET", "/readyz")[2])
            check(answer["code"] == "KBS-035", answer)
            check(o.http("GET", "/healthz")[0] == 200, "it serves during the delay")
            if again:
                check(o.stop(signal.SIGTERM) == 0, "it ended otherwise")
            else:
                stopped, o.server = o.server, None
                check(stopped.wait(30) == 0, "it ended otherwise")

    @case("the second signal cuts off a request that hangs")
    def cut_off(w):
        o = server(t, w, "operation-hanging", "[server]\ndrain_seconds = 3600\n")
        with socket.create_connection(("127.0.0.1", o.port), timeout=20) as hanging:
            hanging.sendall(b"POST /kbs/v0/auth HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
            o.http("GET", "/healthz")
            o.server.send_signal(signal.SIGTERM)
            wait_until(t, "it drains", lambda: "stopping" in o.log())
            check(o.stop(signal.SIGTERM) == 0, "it ended otherwise")
            check("cut off" in o.log(), o.log())

    @case("a collector that is not there holds up nobody and is counted")
    def collector_away(w):
        port = t.free_port()
        o = server(t, w, "operation-traces", f'[telemetry]\notlp_endpoint = "http://127.0.0.1:{port}"\n')
        check(o.http("GET", "/healthz")[0] == 200, "it serves")
        wait_until(t, "the failed spans are counted", lambda: (metric(o, "assay_otel_spans_failed_total") or 0) > 0)
        check("does not take spans" in o.log(), o.log())
        check(o.stop(signal.SIGTERM) == 0, "it ended otherwise")
        refused = w.run("serve", "--data-dir", w.folder / "never", "--http", "--config", traces_elsewhere(w), expect=1)
        check("telemetry.otlp_endpoint" in refused.text, refused.text)

    def traces_elsewhere(w):
        file = w.folder / "elsewhere.toml"
        file.write_text('[telemetry]\notlp_endpoint = "http://192.0.2.1:4317"\n')
        return file
