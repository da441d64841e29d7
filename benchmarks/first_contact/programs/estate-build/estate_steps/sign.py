import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def run_step(context):
    key = Ed25519PrivateKey.from_private_bytes(b"estate-signing-key-for-the-lab!!")
    digest = hashlib.sha256()
    names = sorted(context["glob_found"]) if "glob_found" in context else []
    out = context["outDir"]
    for path in names or sorted(context["files"](out, context["shortName"])):
        with open(path, "rb") as handle:
            digest.update(handle.read())
    context["seal"] = key.sign(digest.digest()).hex()[:16]
