#!/usr/bin/env python3
"""A throw-away PostgreSQL server on loopback, for tests.

    scripts/test_postgres.py run COMMAND...

starts one, runs the command with its address in ASSAY_TEST_POSTGRES
(postgresql://assay@127.0.0.1:PORT/postgres, the password in the file that
ASSAY_TEST_POSTGRES_PASSWORD_FILE names), stops it, and ends as the command did. Without Debian's
package (scripts/install-test-tools.sh installs it) the command is run all the same; the tests that
need the server then say that they do nothing.
"""

import glob
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time


def binaries():
    """The folder of the newest server's programs; None when there is none."""
    found = glob.glob("/usr/lib/postgresql/*/bin/postgres")
    found.sort(key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    if found:
        return os.path.dirname(found[-1])
    on_path = shutil.which("postgres")
    return os.path.dirname(os.path.realpath(on_path)) if on_path else None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Cluster:
    """A server with a database cluster of its own. It refuses to run as root, so root runs it as the user
    that Debian's package makes."""

    def __init__(self, settings=()):
        self.bin = binaries()
        if self.bin is None:
            raise FileNotFoundError("PostgreSQL's server is not installed")
        self.folder = tempfile.mkdtemp(prefix="assay-postgres-")
        self.data = os.path.join(self.folder, "data")
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.password_file = os.path.join(self.folder, "password")
        with open(self.password_file, "w") as f:
            f.write(self.password + "\n")
        # It becomes the server itself, where another wrapper would stay between.
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.folder, "postgres")
            shutil.chown(self.password_file, "postgres")
            os.chmod(self.folder, 0o755)
        subprocess.run(
            self.user + [f"{self.bin}/initdb", "-D", self.data, "-U", "assay", "--auth=scram-sha-256",
                         f"--pwfile={self.password_file}", "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True, stdout=subprocess.DEVNULL, cwd="/")
        # Readable for whoever runs the tests, as the programs under test want it.
        if self.user:
            shutil.chown(self.password_file, "root")
        os.chmod(self.password_file, 0o600)
        lines = [f"port = {self.port}", "listen_addresses = '127.0.0.1'", f"unix_socket_directories = '{self.folder}'",
                 "max_connections = 200", "fsync = off", "log_min_messages = warning"] + list(settings)
        with open(os.path.join(self.data, "postgresql.conf"), "a") as f:
            f.write("\n".join(lines) + "\n")
        self.process = None

    @property
    def url(self):
        return self.url_of("postgres")

    def url_of(self, database):
        return f"postgresql://assay@127.0.0.1:{self.port}/{database}"

    def start(self):
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = subprocess.Popen(self.user + [f"{self.bin}/postgres", "-D", self.data],
                                        stdout=self.log, stderr=self.log, cwd="/")
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            ready = subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], cwd="/")
            if ready.returncode == 0:
                return self
            time.sleep(0.1)
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            raise RuntimeError("PostgreSQL did not start: " + f.read()[-2000:])

    def stop(self, mode="fast"):
        """`fast` ends every connection, `immediate` is as good as a crash."""
        if self.process and self.process.poll() is None:
            subprocess.run(self.user + [f"{self.bin}/pg_ctl", "-D", self.data, "-m", mode, "-w", "stop"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
            self.process.wait(timeout=60)
        self.process = None

    def restart(self, mode="immediate", pause=0.0):
        self.stop(mode)
        time.sleep(pause)
        self.start()

    def sql(self, database, text):
        """Runs SQL; gives the rows as lists of texts."""
        done = subprocess.run(
            [shutil.which("psql") or f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1",
             "-h", "127.0.0.1", "-p", str(self.port), "-U", "assay", "-d", database, "-c", text],
            env={**os.environ, "PGPASSWORD": self.password}, capture_output=True, text=True, cwd="/")
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def create(self, database):
        self.sql("postgres", f'CREATE DATABASE "{database}"')
        return self.url_of(database)

    def remove(self):
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.remove()


def main(arguments):
    if len(arguments) < 2 or arguments[0] != "run":
        print(__doc__, file=sys.stderr)
        return 2
    if binaries() is None:
        print("PostgreSQL's server is not installed: the tests that need it do nothing", file=sys.stderr)
        return subprocess.run(arguments[1:]).returncode
    with Cluster() as cluster:
        env = {**os.environ, "ASSAY_TEST_POSTGRES": cluster.url,
               "ASSAY_TEST_POSTGRES_PASSWORD_FILE": cluster.password_file}
        return subprocess.run(arguments[1:], env=env).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
