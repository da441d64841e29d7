import hashlib

from cliff.lister import Lister
from cliff.show import ShowOne


class ImageList(Lister):
    """List images."""

    def take_action(self, parsed_args):
        return ("Name", "Format", "Size"), (
            (i.name, i.disk_format, i.size) for i in self.app.cloud.image.images()
        )


class ImageUpload(ShowOne):
    """Upload a file as an image and check its digest."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        parser.add_argument("file")
        return parser

    def take_action(self, parsed_args):
        with open(parsed_args.file, "rb") as handle:
            payload = handle.read()
        image = self.app.cloud.image.create_image(
            name=parsed_args.name,
            data=payload,
            disk_format="raw",
            container_format="bare",
            md5=hashlib.md5(payload).hexdigest(),
            sha256=hashlib.sha256(payload).hexdigest(),
        )
        back = self.app.cloud.image.download_image(image).content
        return ("Name", "Intact"), (image.name, back == payload)
