"""The tune of the game, for other players too."""
import mido

TUNE = [("c3", 60), ("e3", 64), ("g3", 67), ("c4", 72)]


def midi(path):
    song = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(120)), mido.Message("program_change", program=80)])
    song.tracks.append(track)
    for _, note in TUNE:
        track += [mido.Message("note_on", note=note, velocity=90, time=0), mido.Message("note_off", note=note, time=240)]
    song.save(path)
    again = mido.MidiFile(path)
    return again.length, [m.note for m in again if m.type == "note_on"]
