import asyncio

import aries_askar
from aries_askar import AskarError, Key, KeyAlg, Store


async def go():
    st = await Store.provision("sqlite://:memory:", "raw", Store.generate_raw_key(b"0" * 32))
    async with st.session() as s:
        await s.insert("cat", "n1", b"value", {"~t": "1"})
        e = await s.fetch("cat", "n1")
        c = await s.count("cat", {"~t": "1"})
        v = bytes(e.value)
        try:
            await s.insert("cat", "n1", b"value")
            r = "none"
        except AskarError as x:
            r = x.code.name
    await st.close()
    return v, c, r


def main():
    k = Key.from_secret_bytes(KeyAlg.ED25519, bytes(range(32)))
    sig = k.sign_message(b"m")
    print(
        "OK askar",
        aries_askar.version(),
        k.get_jwk_thumbprint()[:12],
        k.verify_signature(b"m", sig),
        k.verify_signature(b"n", sig),
        asyncio.run(go()),
    )


main()
