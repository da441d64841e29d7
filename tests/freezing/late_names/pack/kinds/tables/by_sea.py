NAME = "sea"
