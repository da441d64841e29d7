from cliff.show import ShowOne
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519


class KeyCreate(ShowOne):
    """Make a key pair here and register its public half."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        return parser

    def take_action(self, parsed_args):
        private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        public = private.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        pair = self.app.cloud.compute.create_keypair(
            name=parsed_args.name, public_key=public.decode(), type="ssh"
        )
        return ("Name", "Type", "Start"), (pair.name, pair.type, pair.public_key[:30])
