"""schemathesis derives requests from the server's OpenAPI document and judges every answer.

Prints one line per operation, as the other clients do.
"""

import json
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

FOLDER = pathlib.Path(os.environ["COUNTERSIGN_INTEROP_WORLD"])
WORLD = json.loads((FOLDER / "world.json").read_text())
# Every answer must be described by the document, and none may be the server's own fault.
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "negative_data_rejection",
    "ignored_auth",
]


def config():
    """Random identifiers would only ever meet 404: most requests get those of objects that exist."""
    identifiers = {
        "tenant_id": [WORLD["tenant_id"], *(signer["tenant_id"] for signer in WORLD["signers"].values())],
        "id": [client["id"] for client in WORLD["clients"].values()],
    }
    lines = []
    for name, values in identifiers.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    for name in identifiers:
        lines += [f'[parameters."path.{name}"]', f'dictionary = "{name}"', "probability = 0.8"]
    return "\n".join(lines) + "\n"


def main():
    config_file = FOLDER / "schemathesis.toml"
    config_file.write_text(config())
    report = FOLDER / "schemathesis.xml"
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(config_file),
        "--no-color",
        "run", WORLD["public_url"] + "/api/openapi.json",
        "--url", WORLD["public_url"],
        "--header", "Authorization: Bearer " + WORLD["platform_token"],
        "--phases", "examples,coverage,fuzzing",
        "--checks", ",".join(CHECKS),
        "--max-examples", "20",
        "--seed", "1",
        "--request-timeout", "20",
        "--suppress-health-check", "all",
        "--warnings", "off",
        "--report", "junit",
        "--report-junit-path", str(report),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=FOLDER, check=False)
    failures = 0
    for case in ElementTree.parse(report).iter("testcase") if report.exists() else []:
        name = case.get("name")
        problems = [*case.iter("failure"), *case.iter("error")]
        if problems:
            failures += 1
            text = " ".join(f"{problems[0].get('message') or ''} {problems[0].text or ''}".split())
            print(f"not ok {name}: {text[:400]}")
        elif case.find("skipped") is not None:
            print(f"skipped: {name}: {' '.join((case.find('skipped').get('message') or '').split())}")
        else:
            print(f"ok {name}")
    if done.returncode != 0 and failures == 0:
        print(f"not ok schemathesis: ended with {done.returncode}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
