TITLE = "more"
