RULE = "second"
