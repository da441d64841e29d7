from cliff.command import Command
from cliff.lister import Lister
from cliff.show import ShowOne


class ServerList(Lister):
    """List the servers of the project."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("--status")
        return parser

    def take_action(self, parsed_args):
        filters = {"status": parsed_args.status} if parsed_args.status else {}
        rows = [
            (s.name, s.status, s.flavor.vcpus, ",".join(sorted(s.metadata)))
            for s in self.app.cloud.compute.servers(**filters)
        ]
        return ("Name", "Status", "CPUs", "Labels"), rows


class ServerShow(ShowOne):
    """Show one server."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        return parser

    def take_action(self, parsed_args):
        server = self.app.cloud.compute.find_server(parsed_args.name, ignore_missing=False)
        data = server.to_dict(computed=False)
        return self.dict2columns({k: data[k] for k in ("id", "name", "status", "key_name")})


class ServerCreate(ShowOne):
    """Create a server and wait for it."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        parser.add_argument("--image", required=True)
        parser.add_argument("--label", action="append", default=[])
        return parser

    def take_action(self, parsed_args):
        cloud = self.app.cloud
        image = cloud.image.find_image(parsed_args.image, ignore_missing=False)
        server = cloud.compute.create_server(
            name=parsed_args.name,
            image_id=image.id,
            flavor_id="1",
            networks="none",
            key_name="deploy",
            metadata=dict(label.split("=") for label in parsed_args.label),
        )
        server = cloud.compute.wait_for_server(server, interval=0.1, wait=10)
        return ("Name", "Status", "Image"), (server.name, server.status, image.name)


class ServerDelete(Command):
    """Delete a server."""

    def get_parser(self, prog_name):
        parser = super().get_parser(prog_name)
        parser.add_argument("name")
        return parser

    def take_action(self, parsed_args):
        server = self.app.cloud.compute.find_server(parsed_args.name, ignore_missing=False)
        self.app.cloud.compute.delete_server(server)
        self.app.stdout.write(f"deleted {server.name}\n")
