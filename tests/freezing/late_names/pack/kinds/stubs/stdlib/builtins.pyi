answer: str
