"""A small platform game in Pyxel, played by a script without a window: Pymunk moves the player, PyTMX reads the level, Mido writes the tune."""
import hashlib
import math
import os
import tempfile
import wave
from pathlib import Path

os.environ.setdefault("SDL_AUDIODRIVER", "dummy")

import pymunk
import pytmx
import pyxel

from tune import TUNE, midi

HERE = Path(__file__).resolve().parent
TILES = ["00000000", "0cccccc0", "0c7777c0", "0c7cc7c0", "0c7cc7c0", "0c7777c0", "0cccccc0", "00000000"]
JUMPS = (30, 150)
PLAYER, COIN, WALL = 1, 2, 3


class Game:
    def __init__(self, level):
        self.level = level
        self.score, self.frame, self.taken, self.jumps = 0, 0, [], 0
        pyxel.init(160, 120, title=level.properties["title"], fps=60, headless=True)
        pyxel.images[0].set(8, 0, TILES)
        pyxel.images[0].set(16, 0, [row.replace("c", "4") for row in TILES])
        pyxel.sounds[0].set("".join(n for n, _ in TUNE), "s", "6", "f", 15)
        pyxel.sounds[1].mml("T120 O4 L8 CEG>C")
        pyxel.musics[0].set([0], [1], [], [])
        self.space = pymunk.Space()
        self.space.gravity = 0, level.properties["gravity"]
        self.build()

    def build(self):
        ground = self.level.get_layer_by_name("ground")
        for x, y, gid in ground.iter_data():
            if gid:
                box = pymunk.Poly(self.space.static_body, [(x * 8, y * 8), (x * 8 + 8, y * 8), (x * 8 + 8, y * 8 + 8), (x * 8, y * 8 + 8)])
                box.collision_type, box.friction = WALL, 0.4
                self.space.add(box)
        self.body = pymunk.Body(1, math.inf)
        shape = pymunk.Circle(self.body, 3)
        shape.collision_type, shape.friction = PLAYER, 0.1
        self.space.add(self.body, shape)
        for thing in self.level.get_layer_by_name("things"):
            if thing.type == "spawn":
                self.body.position = thing.x, thing.y
            elif thing.type == "coin":
                coin = pymunk.Circle(self.space.static_body, 3, (thing.x + 3, thing.y + 3))
                coin.sensor, coin.collision_type = True, COIN
                coin.thing = thing
                self.space.add(coin)
        self.space.on_collision(PLAYER, COIN, begin=self.take)

    def take(self, arbiter, space, data):
        coin = next(s for s in arbiter.shapes if hasattr(s, "thing"))
        if coin.thing.name not in self.taken:
            self.taken.append(coin.thing.name)
            self.score += coin.thing.properties.get("worth", 1)
            pyxel.play(0, 0)
            space.add_post_step_callback(lambda s, k: s.remove(k), coin)

    def on_ground(self):
        x, y = self.body.position
        hit = self.space.segment_query_first((x, y + 3.2), (x, y + 5), 0.5, pymunk.ShapeFilter())
        return hit is not None and hit.shape.collision_type == WALL

    def update(self):
        vx, vy = self.body.velocity
        vx = 50 * (pyxel.btn(pyxel.KEY_RIGHT) - pyxel.btn(pyxel.KEY_LEFT))
        if pyxel.btn(pyxel.KEY_SPACE) and self.on_ground():
            vy, self.jumps = -170, self.jumps + 1
        self.body.velocity = vx, vy
        self.space.step(1 / 60)
        self.frame += 1

    def draw(self):
        pyxel.cls(pyxel.COLOR_NAVY)
        for x, y, gid in self.level.get_layer_by_name("ground").iter_data():
            if gid:
                flags = self.level.tiledgidmap[gid]
                pyxel.blt(x * 8, y * 8, 0, (flags - 1) * 8, 0, 8, 8)
        pyxel.circ(round(self.body.position.x), round(self.body.position.y), 3, pyxel.COLOR_YELLOW)
        pyxel.text(4, 2, f"SCORE {self.score}", pyxel.COLOR_WHITE)


def main():
    game = Game(pytmx.TiledMap(str(HERE / "level.tmx")))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for frame in range(220):
            pyxel.set_btn(pyxel.KEY_RIGHT, 20 <= frame < 180)
            pyxel.set_btn(pyxel.KEY_SPACE, frame in JUMPS)
            game.update()
            game.draw()
            pyxel.flip()
        pyxel.screenshot(str(folder / "end.png"), 1)
        png = (folder / "end.png").read_bytes()
        pyxel.sounds[1].save(str(folder / "tune.wav"), 1)
        pyxel.save(str(folder / "game.pyxres"))
        pyxel.images[0].cls(0)
        pyxel.load(str(folder / "game.pyxres"))
        with wave.open(str(folder / "tune.wav")) as sound:
            seconds, loud = sound.getnframes() / sound.getframerate(), max(sound.readframes(sound.getnframes())) > 0
        length, notes = midi(str(folder / "tune.mid"))
    pixels = bytes(pyxel.screen.pget(x, y) for y in range(120) for x in range(160))
    print("OK", game.score, game.taken, game.jumps, [round(v) for v in game.body.position], hashlib.sha256(pixels).hexdigest()[:12], png[:4] == b"\x89PNG", pyxel.images[0].pget(9, 1), round(seconds, 2), loud, length, notes)


if __name__ == "__main__":
    main()
