"""Derive the keys and addresses of a wallet from its words.

Usage: app.py [FILE]        FILE holds the words (default: those of published test vectors)
"""

import sys
from pathlib import Path

from bdkpython import (
    Bip39Error,
    Descriptor,
    DescriptorSecretKey,
    KeychainKind,
    Mnemonic,
    Network,
    NetworkKind,
)
from nostr_sdk import Keys, PublicKey

# https://github.com/bitcoin/bips/blob/master/bip-0084.mediawiki#test-vectors
WORDS = "abandon " * 11 + "about"
# https://github.com/nostr-protocol/nips/blob/master/19.md#examples
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"


def addresses(words: str, count: int) -> list[str]:
    """The first receiving addresses of the wallet, as BIP 84 derives them."""
    secret = DescriptorSecretKey(NetworkKind.MAIN, Mnemonic.from_string(words), None)
    external = Descriptor.new_bip84(secret, KeychainKind.EXTERNAL, NetworkKind.MAIN)
    return [str(external.derive_address(n, Network.BITCOIN)) for n in range(count)]


def main() -> None:
    words = Path(sys.argv[1]).read_text().strip() if len(sys.argv) > 1 else WORDS
    for number, address in enumerate(addresses(words, 2)):
        print(f"address {number}: {address}")
    keys = Keys.parse(NSEC)
    print(f"secret key: {keys.secret_key().to_hex()}")
    print(f"public key: {PublicKey.parse(NPUB).to_hex()}")
    print(f"signature: {len(keys.sign_schnorr(bytes(32)))} characters")
    try:
        Mnemonic.from_string("abandon " * 11 + "abandon")
    except Bip39Error as error:
        print(f"refused: {type(error).__name__}")


if __name__ == "__main__":
    main()
