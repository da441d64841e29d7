def run_step(context):
    context["attempts"] += 1
    if context["attempts"] < 3:
        raise ConnectionError("depot not reachable")
