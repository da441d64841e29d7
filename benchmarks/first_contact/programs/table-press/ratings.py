"""Our own Datasette plug-in, registered beside the installed ones."""
from datasette import hookimpl


@hookimpl
def prepare_connection(conn):
    conn.create_function("stars", 1, lambda n: "*" * n)


def render_tsv(rows, columns):
    return {"body": "\n".join("\t".join(str(v) for v in row) for row in rows), "content_type": "text/plain"}


@hookimpl
def register_output_renderer(datasette):
    return {"extension": "tsv", "render": render_tsv}


@hookimpl
def extra_template_vars():
    return {"edition": "spring"}
