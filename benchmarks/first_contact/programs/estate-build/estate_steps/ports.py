import netaddr


def run_step(context):
    port = context["i"]
    rule = context["facts"]["firewall"][port]
    network = netaddr.IPNetwork(rule["from"])
    context.setdefault("rules", []).append(f"{rule['proto']}/{port} {network.size} addresses")
