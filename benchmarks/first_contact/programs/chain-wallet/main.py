"""A wallet for two chains: Solana transactions with solders, Ethereum messages with eth-account, keys from one mnemonic."""
import json

from bip_utils import Bip39MnemonicValidator, Bip39SeedGenerator, Bip44, Bip44Changes, Bip44Coins
from eth_account import Account
from eth_account.types import Language
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils import to_checksum_address
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.requests import GetBalance, batch_to_json
from solders.rpc.responses import GetBalanceResp
from solders.system_program import TransferParams, decode_transfer, transfer
from solders.transaction import Transaction, VersionedTransaction

WORDS = "test test test test test test test test test test test junk"
MAIL = {
    "types": {
        "EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
        "Mail": [{"name": "to", "type": "address"}, {"name": "text", "type": "string"}],
    },
    "primaryType": "Mail", "domain": {"name": "post", "chainId": 1},
    "message": {"to": "0x" + "11" * 20, "text": "hello"},
}


def ethereum():
    Account.enable_unaudited_hdwallet_features()
    acct = Account.from_mnemonic(WORDS)
    fresh, words = Account.create_with_mnemonic(num_words=12, language=Language.FRENCH)
    signed = acct.sign_message(encode_defunct(text="hi"))
    who = Account.recover_message(encode_defunct(text="hi"), signature=signed.signature)
    typed = acct.sign_message(encode_typed_data(full_message=MAIL))
    tx = acct.sign_transaction({"to": to_checksum_address("0x" + "22" * 20), "value": 1, "gas": 21000, "maxFeePerGas": 2, "maxPriorityFeePerGas": 1, "nonce": 0, "chainId": 1, "type": 2})
    box = Account.encrypt(acct.key, "pw", kdf="pbkdf2", iterations=10)
    assert Account.decrypt(json.dumps(box), "pw") == acct.key and len(words.split()) == 12
    return acct.address, who == acct.address, typed.v in (27, 28), Account.recover_transaction(tx.raw_transaction) == acct.address


def solana(seed):
    node = Bip44.FromSeed(seed, Bip44Coins.SOLANA).Purpose().Coin().Account(0).Change(Bip44Changes.CHAIN_EXT)
    kp = Keypair.from_seed(node.PrivateKey().Raw().ToBytes())
    assert str(kp.pubkey()) == node.PublicKey().ToAddress()
    to = Pubkey.from_string("11111111111111111111111111111112")
    ix = transfer(TransferParams(from_pubkey=kp.pubkey(), to_pubkey=to, lamports=5))
    memo = Instruction(Pubkey.default(), b"memo", [AccountMeta(kp.pubkey(), True, True)])
    msg = MessageV0.try_compile(kp.pubkey(), [ix, memo], [], Hash.default())
    tx = VersionedTransaction(msg, [kp])
    again = VersionedTransaction.from_bytes(bytes(tx))
    old = Transaction.new_signed_with_payer([ix], kp.pubkey(), [kp], Hash.default())
    old.verify()
    reply = GetBalanceResp.from_json('{"jsonrpc":"2.0","result":{"context":{"slot":1},"value":7},"id":0}')
    return str(kp.pubkey())[:6], again == tx, decode_transfer(ix)["lamports"], reply.value, len(json.loads(batch_to_json([GetBalance(to), GetBalance(to)])))


def main():
    assert Bip39MnemonicValidator().IsValid(WORDS)
    seed = Bip39SeedGenerator(WORDS).Generate()
    btc = Bip44.FromSeed(seed, Bip44Coins.BITCOIN).Purpose().Coin().Account(0).Change(Bip44Changes.CHAIN_EXT).AddressIndex(0).PublicKey().ToAddress()
    print("OK", *ethereum(), *solana(seed), btc)


if __name__ == "__main__":
    main()
