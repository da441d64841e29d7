def get_parsed_context(args):
    """`key=value` words; the bare word is the node."""
    found = {}
    for word in args or []:
        key, sep, value = word.partition("=")
        found.update({key: value} if sep else {"node": word})
    found["shortName"] = found["node"].split("/")[-1]
    return found
