"""How learning talks to people and to programs."""

import json

from plugin.learning.reports import LINE_SECONDS, EventLines, Lines

LEARNING = {"step": 12, "loss": 0.02134, "share": 0.41, "minutes_left": 4.2}


def test_a_log_gets_a_line_now_and_then(capsys):
    now = [0.0]
    lines = Lines(lambda: now[0])
    lines.event("preparing", what="following the motion", share=0.3)
    for _ in range(100):
        lines.event("learning", **LEARNING)
        now[0] += LINE_SECONDS / 50
    lines.event("note", text="keys outside")
    lines.event("saved", path="/a/b", weights="0", next_keys=[[7]])
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "following the motion: 30%",
        "learning: 41%, step 12, loss 0.0213, 4 min left",
    ]
    assert err == "keys outside\n"


def test_programs_get_everything(capsys):
    told = EventLines()
    told.event("learning", **LEARNING)
    told.event("finished", text="learned", done=True, step=12)
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["event"], first["minutes_left"], last["text"]) == ("learning", 4.2, "learned")
