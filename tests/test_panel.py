import sys

import pytest

from edakit import Service, Uniform, plot
from edakit.errors import ArgumentError
from edakit.panel import panel
from edakit.table import table

pytest.importorskip("ipywidgets")


def shop(lab, pay=0.2, instances=1, orders=1, fast=False, at=None):
    """A shop with one service; some knobs can be turned too far."""
    payment = Service("payment")

    @payment.on("order.placed")
    async def charge(order, ctx):
        await ctx.sleep(0 if fast else pay)
        await ctx.publish("payment.processed")

    broker = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment, on=broker, instances=instances)
    for n in range(orders):
        broker.publish("order.placed", {}, key=n, source="web")


def counts(lab):
    return table(lab.trace.counts())


def made(**knobs):
    return panel(shop, **({"pay": (0.05, 2.0, 0.2, "s"), "instances": (1, 4), "fast": False} | knobs))


def test_each_knob_has_the_control_that_fits_it():
    found = made(orders=[1, 20], seed=(1, 100, 42))
    names = {name: type(control).__name__ for name, control in found._controls.items()}
    assert names == {
        "seed": "IntSlider",
        "pay": "FloatSlider",
        "instances": "IntSlider",
        "fast": "Checkbox",
        "orders": "Dropdown",
    }
    assert found.values == {"seed": 42, "pay": 0.2, "instances": 1, "fast": False, "orders": 1}
    assert found._controls["pay"].description == "pay (s)"


@pytest.mark.parametrize(
    ("knob", "step"), [((0.05, 2.0, 0.2), 0.01), ((0.0, 0.4, 0.25), 0.005), ((0, 0.1), 0.002), ((0.1, 60.0, 0.2), 0.1)]
)
def test_a_slider_has_steps_that_lead_to_its_start_and_end(knob, step):
    control = made(pay=knob)._controls["pay"]
    assert control.step == step


def test_a_plain_value_is_passed_on():
    found = made(orders=3)
    assert found.lab.trace.counts(by="type")["payment.processed"] == 3
    assert "orders: 3 (fixed)" in repr(found)


def test_turning_a_control_runs_again_under_the_same_seed_and_redraws():
    found = made()
    before, digest = found._image.value, found.lab.trace.digest()
    found._controls["pay"].value = 1.0
    assert found.lab.trace[-1].time > 1
    assert found._image.value != before
    found._controls["pay"].value = 0.2
    assert (found._image.value, found.lab.trace.digest()) == (before, digest)


def test_set_turns_several_knobs_at_once_and_reset_turns_all_back():
    found = made()
    runs = []
    found._show = lambda lab: runs.append(lab) or plot.timeline(lab)
    found.set(pay=1.5, instances=2)
    assert len(runs) == 1
    assert found._controls["pay"].value == 1.5
    found._box.children[-3].children[0].click()
    assert found.values == {"pay": 0.2, "instances": 1, "fast": False}


def test_a_picture_or_any_text_may_be_shown():
    found = made(show=counts)
    assert "publish" in found._text.value
    assert found._image.layout.display == "none"
    assert "image/png" not in found._repr_mimebundle_()


def test_the_text_of_a_panel_says_its_knobs_and_ranges():
    assert repr(made(orders=[1, 20])) == (
        "panel of shop\n  pay: 0.05 to 2 s, now 0.2\n  instances: 1 to 4, now 1\n  fast: no\n  orders: one of 1, 20\n  seed: 42 (fixed)"
    )


def test_shown_it_has_controls_and_where_there_are_none_a_picture_and_words():
    found = made()
    bundle = found._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", "application/vnd.jupyter.widget-view+json"}
    assert bundle["text/plain"] == repr(found)


def test_what_goes_wrong_is_a_line_in_the_panel_and_the_last_picture_stays():
    found = made(at=[0, -1])

    def broken(lab):
        raise RuntimeError("boom")

    before, found._show = found._image.value, broken
    found.set(pay=1.0)
    assert found._line.value == "⚠ RuntimeError: boom"
    assert found._image.value == before
    found._show = plot.timeline
    assert "boom" not in found.reset()._line.value


def test_a_mistake_of_the_scenario_is_said_without_a_stack():
    found = panel(lambda lab, n=1: lab.broker(""), n=(1, 2))
    assert found._line.value.startswith("⚠ ")
    assert "\n" not in found.message


@pytest.mark.parametrize("knob", [(1,), (2, 1), (1, 2, 3), (1, "a", 2), ("s",), (1, 2, 1, 1), [], (0, 1, 5, "s")])
def test_a_range_that_is_none_is_refused_with_its_value(knob):
    with pytest.raises(ArgumentError, match="pay="):
        made(pay=knob)


@pytest.mark.parametrize("values", [{"pay": 3.0}, {"instances": 1.5}, {"instances": True}, {"fast": 1.5}, {"colour": 1}])
def test_set_refuses_what_the_knob_does_not_have(values):
    found = made()
    before = dict(found.values)
    with pytest.raises(ArgumentError):
        found.set(**values)
    assert found.values == before


def test_a_distribution_is_a_plain_value():
    assert made(at=Uniform(0, 1)).lab is not None


def test_without_ipywidgets_the_plain_twin_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with pytest.raises(ArgumentError, match=r"run\(shop, seed=42"):
        made()
