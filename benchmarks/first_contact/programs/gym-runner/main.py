"""Runs of games: Gymnasium's environments by their names with wrappers, several at once, one of its own by a class path, a small linear policy kept as safetensors, results in Polars, options by tyro, a Rich table."""
import dataclasses
import io
import tempfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import polars as pl
import tyro
from gymnasium.utils.env_checker import check_env
from rich.console import Console
from rich.table import Table
from safetensors.numpy import load_file, save_file


@dataclasses.dataclass
class Options:
    """How to run."""

    names: tuple[str, ...] = ("CartPole-v1", "MountainCar-v0", "Acrobot-v1", "Taxi-v4", "FrozenLake-v1")
    seed: int = 3
    steps: int = 40


class Walk(gym.Env):
    def __init__(self, size=5, render_mode=None):
        self.observation_space = gym.spaces.Box(0, size, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.size, self.render_mode = size, render_mode

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = float(self.np_random.integers(0, 2))
        return np.array([self.at], np.float32), {}

    def step(self, action):
        self.at = min(max(self.at + (1 if action else -1), 0), self.size)
        return np.array([self.at], np.float32), float(self.at == self.size), self.at == self.size, False, {}


def main():
    options = tyro.cli(Options, args=["--steps", "30"])
    gym.register("own/Walk-v0", entry_point=Walk, max_episode_steps=20)
    rows = []
    for name in (*options.names, "own/Walk-v0"):
        env = gym.wrappers.RecordEpisodeStatistics(gym.make(name))
        env.reset(seed=options.seed)
        env.action_space.seed(options.seed)
        total = 0.0
        for _ in range(options.steps):
            _, reward, ended, cut, info = env.step(env.action_space.sample())
            total += float(reward)
            if ended or cut:
                env.reset()
        rows.append({"name": name, "total": round(total, 2), "space": type(env.observation_space).__name__})
        env.close()
    check_env(Walk(), skip_render_check=True)
    many = gym.make_vec("CartPole-v1", num_envs=3, vectorization_mode="sync", wrappers=(gym.wrappers.FlattenObservation,))
    first, _ = many.reset(seed=1)
    picture = gym.make("CartPole-v1", render_mode="rgb_array")
    picture.reset(seed=1)
    shape = picture.render().shape
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "policy.safetensors"
        save_file({"w": first @ np.ones((4, 2), np.float32)}, str(file))
        kept = load_file(str(file))["w"].shape
    frame = pl.DataFrame(rows).sort("name")
    table = Table("name", "total")
    for row in frame.iter_rows():
        table.add_row(row[0], str(row[1]))
    out = io.StringIO()
    Console(file=out, width=60).print(table)
    try:
        gym.make("Cartpole-v9")
    except gym.error.Error as error:
        wrong = type(error).__name__
    print("OK", frame.rows(), kept, shape, wrong, len(gym.envs.registry) > 20, out.getvalue().count("v"))


main()
