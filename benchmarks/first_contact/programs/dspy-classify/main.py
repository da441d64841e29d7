"""A classifier in DSPy on a scripted model: signatures, chain of thought, ReAct with a tool, an optimizer from examples, an evaluation, saved programs."""
import json
import logging
import os
import tempfile
from pathlib import Path
from typing import Literal

cache = tempfile.mkdtemp()
os.environ.update(DSPY_CACHEDIR=cache, LITELLM_LOCAL_MODEL_COST_MAP="True")
import dspy
from dspy.evaluate import Evaluate
from dspy.teleprompt import BootstrapFewShot, LabeledFewShot
from dspy.utils import DummyLM
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    age: int


class Mood(dspy.Signature):
    """Tell the mood of a sentence."""

    sentence: str = dspy.InputField()
    mood: Literal["good", "bad"] = dspy.OutputField()


class Extract(dspy.Signature):
    text: str = dspy.InputField()
    people: list[Person] = dspy.OutputField()


class Pipeline(dspy.Module):
    def __init__(self):
        super().__init__()
        self.mood = dspy.ChainOfThought(Mood)

    def forward(self, sentence):
        return self.mood(sentence=sentence)


def length(word: str) -> int:
    """Length of a word."""
    return len(word)


def exact(example, pred, trace=None):
    return example.mood == pred.mood


def main():
    logging.disable(logging.CRITICAL)
    answers = [{"reasoning": "r", "mood": "good" if i % 2 == 0 else "bad"} for i in range(40)]
    examples = [dspy.Example(sentence=f"s{i}", mood="good" if i % 2 == 0 else "bad").with_inputs("sentence") for i in range(4)]
    with dspy.context(lm=DummyLM(answers), adapter=dspy.ChatAdapter()):
        first = Pipeline()(sentence="lovely")
        labeled = LabeledFewShot(k=2).compile(Pipeline(), trainset=examples)
    with dspy.context(lm=DummyLM(answers)):
        tuned = BootstrapFewShot(metric=exact, max_bootstrapped_demos=2, max_labeled_demos=0).compile(Pipeline(), trainset=examples)
    with dspy.context(lm=DummyLM(answers)):
        score = Evaluate(devset=examples, metric=exact, num_threads=1, display_progress=False)(Pipeline())
    with dspy.context(lm=DummyLM([{"people": json.dumps([{"name": "Ann", "age": 3}])}]), adapter=dspy.ChatAdapter()):
        people = dspy.Predict(Extract)(text="Ann is 3").people
    react = [{"next_thought": "t", "next_tool_name": "length", "next_tool_args": '{"word": "tea"}'}, {"next_thought": "t", "next_tool_name": "finish", "next_tool_args": "{}"}, {"reasoning": "r", "answer": "3"}]
    with dspy.context(lm=DummyLM(react)):
        r = dspy.ReAct("question -> answer", tools=[length])(question="how long is tea?")
    with tempfile.TemporaryDirectory() as t:
        labeled.save(Path(t) / "p.json")
        again = Pipeline()
        again.load(Path(t) / "p.json")
        state = len(again.mood.predict.demos)
    value = score.score if hasattr(score, "score") else score
    print("OK", first.mood, people, r.answer, r.trajectory["observation_0"], state, len(tuned.mood.predict.demos), value)


if __name__ == "__main__":
    main()
