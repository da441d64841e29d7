import indy_vdr
from indy_vdr import VdrError, ledger


def main():
    r = ledger.build_get_nym_request(None, "V4SGRU86Z58d6TV7PBUe6f")
    b = r.body
    try:
        ledger.build_get_nym_request(None, "!!")
        e = "none"
    except VdrError as x:
        e = x.code.name
    print(
        "OK indy-vdr",
        indy_vdr.version(),
        "V4SGRU86Z58d6TV7PBUe6f" in b,
        len(r.signature_input) > 20,
        e,
    )


main()
