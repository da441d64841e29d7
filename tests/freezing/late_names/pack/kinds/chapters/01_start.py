TITLE = "start"
