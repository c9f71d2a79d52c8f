"""Cases of scripts/deploy-test.py: the systemd units and the configurations beside them."""

import re
import tomllib

# What `systemd-analyze security` may say at the most; 10 is the worst.
EXPOSURE = "2.0"
PARTS = ("kbs", "as", "rvps")
# What a unit of the agent needs more than this is its own affair: it is only read by systemd.
UNITS = ("assay.service", "assay@.service")


def directives(text):
    """(section, key, value) of each line."""
    section, found = None, []
    for line in text.splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            section = match[1]
        elif line and line[0] not in "#;":
            key, _, value = line.partition("=")
            found.append((section, key, value))
    return found


def values(unit, key):
    return [value for _, name, value in directives(unit) if name == key]


def leaves(tree):
    for value in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(value, (dict, list)):
            yield from leaves(value)
        else:
            yield value


def register(t):
    folder = t.DEPLOY / "systemd"

    def read(_):
        return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}

    def laid_out(w, files):
        """The units in a folder as systemd has it; the programs, which are not installed here, stand for themselves."""
        place = w.folder / "systemd"
        for name, text in files.items():
            path = place / name.replace("@.service", "@kbs.service")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(re.sub(r"/usr/bin/assay(-agent)?\b", "/bin/true", text))
        return place

    def verify(w, files):
        program, place = w.program("systemd-analyze"), laid_out(w, files)
        result = w.run(program, "verify", "--man=no", *(place / name for name in ("assay.service", "assay@kbs.service", "assay-agent.service")))
        said = [line for line in result.stderr.splitlines() if str(place) in line or re.match(r"assay", line)]
        return said + ([f"exit code {result.returncode}: {result.stderr}"] if result.returncode else [])

    def exposure(w, files):
        program, place, found = w.program("systemd-analyze"), laid_out(w, files), []
        if "--offline" not in w.run(program, "--help").stdout:
            raise t.Skip("systemd-analyze is too old to look at a unit that is not loaded")
        for name in ("assay.service", "assay@kbs.service"):
            result = w.run(program, "security", "--offline=true", f"--threshold={int(float(EXPOSURE) * 10)}", place / name)
            if result.returncode:
                found.append(f"{name}: {result.stdout.strip().splitlines()[-1]}")
        return found

    def hardening(_, files):
        """Both units alike, and no weaker than that of the agent where both have a word to say."""
        one, part = (set(directives(files[name])) for name in UNITS)
        own = {"Description", "ExecStart", "LoadCredential", "StateDirectory", "Environment"}
        found = [f"only one of the two units has {key}={value}" for _, key, value in sorted(one ^ part) if key not in own]
        agent = directives(files["assay-agent.service"])
        for _, key, value in agent:
            if key.startswith(("Protect", "Private", "Restrict", "NoNew", "Lock", "Memory", "DevicePolicy")) and value == "yes" \
                    and ("Service", key, "yes") not in one and not (key, "invisible") in [(k, v) for _, k, v in one]:
                found.append(f"the agent has {key}={value}, the server not")
        for name in UNITS:
            for key, wanted in (("User", "assay"), ("CapabilityBoundingSet", ""), ("LimitCORE", "0"), ("StateDirectoryMode", "0700"), ("UMask", "0077")):
                if values(files[name], key) != [wanted]:
                    found.append(f"{name}: {key} is {values(files[name], key)}")
        return found if "u assay " in files["assay.sysusers"] else [*found, "nobody makes the user"]

    def draining(_, files):
        found = []
        for unit, configurations in (("assay.service", ["assay.toml"]), ("assay@.service", [f"parts/{p}.toml" for p in PARTS])):
            for name in configurations:
                drain = tomllib.loads(files[name])["server"].get("drain_seconds", 10)
                stop = int((values(files[unit], "TimeoutStopSec") or ["90"])[0])
                if stop < drain + 5:
                    found.append(f"{unit}: is killed after {stop} s, {name} drains for {drain} s")
        return found

    def secrets(_, files):
        """Certificates and passwords come as credentials, and each file that is named is one."""
        found = []
        for name, text in files.items():
            if re.search(r"PRIVATE KEY|://[^/@\s]*:[^/@\s]*@", text):
                found.append(f"{name} contains a secret")
            given = dict(value.split(":", 1) for value in values(text, "LoadCredential")) if name.endswith((".service", ".conf")) else {}
            for value in values(text, "Environment") if given else []:
                match = re.fullmatch(r"(ASSAY_[A-Z_]+)=%d/(\S+)", value)
                if match and match[2] not in given:
                    found.append(f"{name}: {match[1]} names the credential {match[2]}, which is not loaded")
            for value in values(text, "Environment"):
                if re.search(r"(KEY|PASSWORD|TOKEN|SECRET)\w*=(?!%d/)", value):
                    found.append(f"{name}: {value} is no credential")
        for part in PARTS:
            for value in leaves(tomllib.loads(files[f"parts/{part}.toml"])):
                if str(value).startswith("/") and not value.startswith(f"/run/credentials/assay@{part}.service/{part}_"):
                    found.append(f"parts/{part}.toml: {value} is not among the credentials of its unit")
        return found

    def configuration(w, files):
        found = []
        for name in [n for n in files if n.endswith(".toml")]:
            tree = tomllib.loads(files[name])
            found += [f"{name}: a danger is on" for value in leaves(tree.get("danger", {})) if value]
            found += [f"{name}: {value}: plain HTTP" for value in leaves(tree) if str(value).startswith("http://")]
            unit = "assay.service" if name == "assay.toml" else "assay@.service"
            units = [files[unit]] + ([files["assay.service.d/postgresql.conf"]] if name == "assay.toml" else [])
            environment = dict(value.replace("%d", "/run/credentials/x").replace("%S", "/var/lib").replace("%i", "x").split("=", 1)
                               for text in units for value in values(text, "Environment"))
            file = w.folder / "assay.toml"
            # The drop-in is for those who take the comments away.
            file.write_text(files[name].replace("# [store]", "[store]").replace("# url = ", "url = "))
            found += [f"{name}: {problem}" for problem in w.configuration_problems(file, environment)]
        return found

    def change(name, old, new):
        def how(files):
            files[name] = files[name].replace(old, new)
        return how

    unit, template = UNITS
    t.properties("systemd", {"units": read}, {
        "verified": (verify, None), "exposure": (exposure, None), "hardening": (hardening, None), "draining": (draining, None),
        "secrets": (secrets, None), "configuration": (configuration, None)}, [
        ("units", "verified", "an unknown directive", change(unit, "UMask=", "UMusk=")),
        ("units", "verified", "a program that is not there", change(template, "/bin/kill", "/bin/absent")),
        ("units", "exposure", "with all capabilities", change(unit, "CapabilityBoundingSet=\n", "")),
        ("units", "exposure", "with all system calls", lambda f: f.update({template: re.sub("SystemCallFilter=.*", "", f[template])})),
        ("units", "hardening", "of one alone", change(unit, "PrivateTmp=yes", "PrivateTmp=no")),
        ("units", "hardening", "less than the agent's", lambda f: [change(name, "ProtectClock=yes\n", "")(f) for name in UNITS]),
        ("units", "hardening", "with a data folder for all", lambda f: [change(n, "StateDirectoryMode=0700", "StateDirectoryMode=0755")(f) for n in UNITS]),
        ("units", "hardening", "of root", lambda f: [change(n, "User=assay\n", "")(f) for n in UNITS]),
        ("units", "hardening", "without a user", change("assay.sysusers", "u assay", "g assay")),
        ("units", "draining", "too short", change(unit, "TimeoutStopSec=45", "TimeoutStopSec=30")),
        ("units", "draining", "too long", change("parts/as.toml", "drain_seconds = 30", "drain_seconds = 60")),
        ("units", "secrets", "that are not loaded", change(unit, "LoadCredential=tls.key", "LoadCredential=tls.kay")),
        ("units", "secrets", "on the disk", change(unit, "%d/tls.key", "/etc/assay/tls.key")),
        ("units", "secrets", "of another part", change("parts/as.toml", "as_tls.key", "kbs_tls.key")),
        ("units", "secrets", "in an address", change("assay.toml", "//assay@", "//assay:word@")),
        ("units", "configuration", "a danger", change("assay.toml", "[server]", "[danger]\nallow_sample = true\n[server]")),
        ("units", "configuration", "plain HTTP", change("parts/kbs.toml", "https://as", "http://as")),
    ])
