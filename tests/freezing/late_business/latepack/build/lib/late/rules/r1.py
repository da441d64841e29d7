RULE = "first"
