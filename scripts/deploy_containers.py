"""Cases of scripts/deploy-test.py: the container files.

No builder is needed: they are parsed, and what a builder would find missing, or a reviewer would refuse, is looked for.
"""

import fnmatch
import json
import re

LABELS = ("title", "description", "source", "licenses", "version", "revision")
SECRET_NAME = re.compile(r"TOKEN|PASSWORD|SECRET|CREDENTIAL|PRIVATE|_KEY", re.I)


def stages(instructions):
    """The instructions, split at each FROM; what comes before the first is stage 0."""
    found = [[]]
    for step in instructions:
        if step["instruction"] == "FROM":
            found.append([])
        if step["instruction"] != "COMMENT":
            found[-1].append((step["instruction"], step["value"]))
    return found


def of(stage, name):
    return [value for instruction, value in stage if instruction == name]


def flags_and_paths(value):
    """`--from=build --chown=1:1 a b /c` → {"from": "build", "chown": "1:1"}, ["a", "b"], "/c"."""
    words = value.split()
    flags = dict(word[2:].split("=", 1) for word in words if word.startswith("--") and "=" in word)
    paths = [word for word in words if not word.startswith("--")]
    return flags, paths[:-1], paths[-1]


def ignored(patterns, path):
    """Whether a builder leaves the path out. The last pattern that matches it, or a folder above it, decides."""
    out = False
    parents = ["/".join(path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
    for pattern in patterns:
        keep, pattern = pattern.startswith("!"), pattern.lstrip("!")
        forms = [pattern, pattern[3:]] if pattern.startswith("**/") else [pattern]
        if any(fnmatch.fnmatchcase(p, form) for p in parents for form in forms):
            out = not keep
    return out


def register(t):
    def read(name):
        def parsed(w):
            parser = w.package("dockerfile_parse").DockerfileParser(fileobj=open(w.folder / "Dockerfile", "w+b"))
            parser.content = (t.DEPLOY / "container" / name).read_text()
            return {"stages": stages(parser.structure), "ignore": [
                line for line in (t.ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]}

        return lambda w: w.once(("container", name), lambda: parsed(w))

    def final_stage(_, file):
        final, found = file["stages"][-1], []
        user = of(final, "USER")
        if len(user) != 1 or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", user[0]):
            found.append(f"USER is {user}, not one numeric user and group other than root")
        if of(final, "RUN") or of(final, "ADD") or of(final, "SHELL"):
            found.append("the final stage runs commands: it would need a shell")
        for name in ("ENTRYPOINT", "CMD"):
            for value in of(final, name):
                try:
                    json.loads(value)
                except ValueError:
                    found.append(f"{name} needs a shell: {value}")
        if len(of(final, "ENTRYPOINT")) != 1:
            found.append("no ENTRYPOINT")
        base = dict(value.split("=", 1) for value in of(file["stages"][0], "ARG")).get("RUNTIME_IMAGE", "")
        if of(final, "FROM") != ["${RUNTIME_IMAGE}"] or not re.search(r"/distroless/(cc|static)", base):
            found.append(f"the final stage is on {of(final, 'FROM')} = {base}")
        return found

    def base_images(_, file):
        arguments = dict(value.split("=", 1) for value in of(file["stages"][0], "ARG"))
        found = []
        for stage in file["stages"][1:]:
            image = of(stage, "FROM")[0].split()[0]
            image = arguments.get(image.strip("${}"), image)
            tag = image.rsplit("/", 1)[-1].partition("@")[0].partition(":")[2]
            if "@sha256:" not in image and tag in ("", "latest"):
                found.append(f"{image} has no tag")
        return found

    def sources(_, file):
        found, names = [], set()
        for stage in file["stages"][1:]:
            for value in of(stage, "COPY"):
                flags, paths, _ = flags_and_paths(value)
                if "from" in flags:
                    if flags["from"] not in names:
                        found.append(f"COPY --from={flags['from']}: no such stage")
                    continue
                for path in paths:
                    if not (t.ROOT / path).exists():
                        found.append(f"COPY {path}: not in the sources")
                    elif ignored(file["ignore"], path):
                        found.append(f"COPY {path}: .dockerignore leaves it out")
            names.update(of(stage, "FROM")[0].split()[2:])
        return found

    def context(_, file):
        """The builder is sent sources alone."""
        unwanted = ["target/debug/assay", ".git/config", "deploy/compose/secrets/ca.key", "deploy/compose/.env", "crates/store/target/x"]
        return [f"{path} is sent to the builder" for path in unwanted if not ignored(file["ignore"], path)] + [
            f"{path} is left out" for path in ("crates/assay/src/main.rs", "Cargo.lock") if ignored(file["ignore"], path)]

    def no_secrets(_, file):
        found = []
        for stage in file["stages"]:
            for value in of(stage, "ARG") + of(stage, "ENV"):
                if SECRET_NAME.search(value.split("=")[0]):
                    found.append(f"{value.split('=')[0]} would stay in the image's history")
            for value in of(stage, "COPY") + of(stage, "ADD"):
                if re.search(r"\.(pem|key)\b|secrets?/|\.env\b", value):
                    found.append(f"a secret is copied: {value}")
        return found

    def build(_, file):
        text = "\n".join(of(file["stages"][1], "RUN"))
        found = [] if "--locked" in text else ["cargo does not keep to the lock file"]
        found += ["a registry or proxy is written down"] if re.search(r"https?://", text) else []
        packages = re.findall(r"--package ([a-z-]+)", text)
        manifests = [m.read_text() for m in (t.ROOT / "crates").glob("*/Cargo.toml")]
        found += [f"no package {p}" for p in packages if not any(f'name = "{p}"\n' in m for m in manifests)]
        program = of(file["stages"][-1], "ENTRYPOINT")
        name = json.loads(program[0])[0] if program and program[0].startswith("[") else "?"
        return found if packages and re.search(rf"/out{name}(?![\w-])", text) else [*found, f"{name} is not what was built"]

    def labels(_, file):
        text = "\n".join(of(file["stages"][-1], "LABEL"))
        return [f"no label {name}" for name in LABELS if f"org.opencontainers.image.{name}=" not in text]

    def set_value(instruction, value, stage=-1):
        def change(file):
            steps = file["stages"][stage]
            steps[:] = [s for s in steps if s[0] != instruction] + ([(instruction, value)] if value is not None else [])
        return change

    def add(instruction, value, stage=-1):
        return lambda file: file["stages"][stage].append((instruction, value))

    server, agent = "assay.Containerfile", "assay-agent.Containerfile"
    breaks = [
        (server, "the final stage", "without USER", set_value("USER", None)),
        (server, "the final stage", "as root", set_value("USER", "0:0")),
        (server, "the final stage", "as a user by name", set_value("USER", "nonroot")),
        (agent, "the final stage", "with a command run", add("RUN", "ls")),
        (agent, "the final stage", "with a shell's entry point", set_value("ENTRYPOINT", "/usr/bin/assay-agent")),
        (server, "the final stage", "on a whole Debian", set_value("ARG", "RUNTIME_IMAGE=docker.io/library/debian:12", 0)),
        (server, "base images", "of whatever version", set_value("ARG", "BUILD_IMAGE=docker.io/library/rust:latest", 0)),
        (server, "sources", "copying what is not there", add("COPY", "absent.txt /", 1)),
        (server, "sources", "copying what is left out", add("COPY", "Makefile /", 1)),
        (server, "sources", "copying from no stage", add("COPY", "--from=other /a /b")),
        (server, "context", "sent whole", lambda file: file["ignore"].clear()),
        (server, "context", "without sources", lambda file: file["ignore"].remove("!crates")),
        (server, "no secrets", "with a token as an argument", add("ARG", "CARGO_REGISTRY_TOKEN=", 1)),
        (server, "no secrets", "with a key copied", add("COPY", "deploy/compose/secrets/assay.key /etc/")),
        (server, "the build", "without the lock file", set_value("RUN", "cargo build --package assay; install a /out/usr/bin/assay", 1)),
        (agent, "the build", "of another program", set_value("ENTRYPOINT", '["/usr/bin/assay"]')),
        (server, "labels", "without them", set_value("LABEL", None)),
    ]
    checks = {"the final stage": final_stage, "base images": base_images, "sources": sources, "context": context,
              "no secrets": no_secrets, "the build": build, "labels": labels}
    t.properties("container", {name: read(name) for name in (server, agent)},
                 {name: (function, None) for name, function in checks.items()}, breaks)
