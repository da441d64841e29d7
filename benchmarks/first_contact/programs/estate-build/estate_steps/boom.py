def run_step(context):
    raise ValueError("the rack is on fire")
