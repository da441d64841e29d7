def run_step(context):
    context.assert_keys_have_values(__name__, "inventory", "node")
    info = context["inventory"].nodes[context["node"].replace("/", ".")]
    context["facts"] = {str(k): v for k, v in info.parameters.items()}
    context["facts_apps"] = list(info.applications)
    context["facts_classes"] = list(info.classes)
