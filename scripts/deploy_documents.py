"""Cases of scripts/deploy-test.py: what the documents about deployment name is there: files, sections, commands and their options."""

import re

DOCUMENTS = ("docs/deploying.md", "deploy/kubernetes/README.md")


def code(text):
    """Code: each line of a block, and each span."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    rest = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.M | re.S)
    return [line.partition("  #")[0] for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", rest)


def commands(text):
    """(words of the command, its options) of each `assay …`."""
    found = []
    for line in code(text):
        for match in re.finditer(r"(?:^|\s|/usr/bin/)assay((?: [a-z][a-z-]*)+)((?: [^|>&]+)?)", line):
            if re.search(r"-t\s*$|enable\S*( --now)?$|-[un]\s*$", line[: match.start()]):
                continue  # The name of an image, a unit or a user.
            words = match[1].split()[:2]
            found.append((words, re.findall(r"--[a-z-]+", match[2])))
    return found


def anchors(text):
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}


def register(t):
    def read(_):
        return {name: (t.ROOT / name).read_text() for name in DOCUMENTS}

    def links(_, documents):
        found = []
        for name, text in documents.items():
            for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", text):
                path, _, anchor = target.partition("#")
                file = ((t.ROOT / name).parent / path).resolve() if path else t.ROOT / name
                if not file.exists():
                    found.append(f"{name}: {path} is not there")
                elif anchor and anchor not in anchors(documents.get(str(file.relative_to(t.ROOT)), file.read_text())):
                    found.append(f"{name}: {target} is no section")
            for path in re.findall(r"\bdeploy/[\w./@-]*[\w/]", " ".join(code(text)).replace("github.com/assay-attestation/assay/", "")):
                if not (t.ROOT / path).exists():
                    found.append(f"{name}: {path} is not there")
        return found

    def said(w, words):
        """The help of a command, or None. A server's parts are arguments, which `--help` does not check."""
        result = w.once(("help", *words), lambda: w.run(w.assay, *words, "--help"))
        return result.stdout if result.returncode == 0 else None

    def program(w, documents):
        if not w.assay:
            raise t.Skip("the program is not built")
        found = []
        for name, text in documents.items():
            for words, options in commands(text):
                help_text = said(w, words)
                if help_text is None:
                    found.append(f"{name}: there is no command assay {' '.join(words)}")
                else:
                    found += [f"{name}: assay {' '.join(words)} has no {option}" for option in options if option not in help_text]
        return found

    def change(old, new):
        def how(documents):
            documents[DOCUMENTS[0]] = documents[DOCUMENTS[0]].replace(old, new)
        return how

    t.properties("documents", {"deployment": read}, {"links and files": (links, None), "commands": (program, None)}, [
        ("deployment", "links and files", "a document that is not there", change("(operations.md)", "(operation.md)")),
        ("deployment", "links and files", "a section that is not there", change("(#compose)", "(#composing)")),
        ("deployment", "links and files", "a file that is not there", change("deploy/compose/haproxy.cfg", "deploy/compose/nginx.cfg")),
        ("deployment", "commands", "a command that is not there", change("assay config check", "assay config chek")),
        ("deployment", "commands", "an option that is not there", change("--role admin", "--rule admin")),
    ])
