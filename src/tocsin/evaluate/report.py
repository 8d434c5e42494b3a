"""The report: one page a head of fraud can read, first a sentence, then pictures, then the table. One file, no network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

import numpy as np

from tocsin.evaluate.charts import Axis, Line, bars, columns, count, lines, percent
from tocsin.evaluate.drift import Drift
from tocsin.evaluate.results import Findings, Span
from tocsin.evaluate.style import STYLE
from tocsin.measure.early import EarlyAnswers

_MOST_POINTS = 400


def page(
    findings: Findings,
    *,
    title: str,
    model: str,
    data: str,
    currency: str,
    drift: Drift | None = None,
    early: EarlyAnswers | None = None,
    notes: Sequence[str] = (),
) -> str:
    """The whole report as HTML.

    Parameters
    ----------
    title : the heading, such as "How good is handbook-3f2a?"
    model, data : what was measured and on what, in words.
    currency : of all amounts.
    early : what early answers did, if the policy has any.
    notes : further true sentences the reader should know, shown under the first.
    """
    f = findings
    cards = [
        _card("What a day's work would catch", _budget_picture(f), _budget_words(f, currency)),
        _card("Precision and recall", _curve_picture(f), _curve_words(f)),
        _card("Is a score of 0.3 really 3 in 10?", _calibration_picture(f), _calibration_words(f)),
        _card("What each kind of data adds", _stage_picture(f), _stage_words(f)),
    ]
    if f.kinds:
        cards.append(_card("Which kinds of fraud are caught", _kind_picture(f), _kind_words(f)))
    if len(f.months) > 1:
        cards.append(_card("Month by month", _month_picture(f), _month_words(f)))
    if drift is not None:
        cards.append(_card("Has the world moved?", _drift_picture(drift), drift.sentence))
    if early is not None:
        cards.append(_card("Answered before every kind of data was asked", _early_table(early), _early_words(early)))
    paragraphs = "".join(f"<p>{escape(note)}</p>" for note in notes)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body><main>'
        f'<h1>{escape(title)}</h1><p class="about">{escape(data)} · {escape(model)} · {_day(f.first)} to {_day(f.last)}</p>'
        f'<section class="lead"><p class="first">{escape(sentence(f, currency))}</p>{paragraphs}</section>'
        f'<div class="cards">{"".join(cards)}</div>{_tables(f, currency)}'
        f"<footer>Made by Tocsin on {datetime.now(UTC):%d %B %Y}.</footer></main></body></html>"
    )


def sentence(f: Findings, currency: str) -> str:
    """The one sentence: what the alerts caught, what it cost in alerts, and what that was worth."""
    share = f"{f.money.stopped / f.money.at_stake:.0%}" if f.money.at_stake > 0 else "none"
    per = f"about 1 alert in {1 / f.precision:.1f} was fraud" if f.precision > 0 else "no alert was fraud"
    return (
        f"With {count(f.alerts_a_day)} alerts a day this model stopped {f.caught:.0%} of the frauds and {share} of their "
        f"money ({_money(f.money.stopped, currency)} of {_money(f.money.at_stake, currency)} in {f.days:.0f} days); {per}."
    )


def _card(heading: str, picture: str, words: str) -> str:
    return f'<section class="card"><h2>{escape(heading)}</h2><p>{escape(words)}</p>{picture}</section>'


def _budget_picture(f: Findings) -> str:
    if not f.budgets:
        return ""
    x = Axis(f.budgets[0].alerts_a_day, max(f.budgets[-1].alerts_a_day, 2.0), "alerts a day", count, log=True)
    a_day = [b.alerts_a_day for b in f.budgets]
    return lines(
        [
            Line("frauds caught", a_day, [b.frauds for b in f.budgets], "s1", dots=True),
            Line("their money stopped", a_day, [b.money for b in f.budgets], "s2", dots=True),
            Line("alerts that are fraud", a_day, [b.precision for b in f.budgets], "s3", dots=True),
        ],
        x,
        Axis(0, 1, "", percent),
        title="Alerts a day against the share of frauds caught and of money stopped",
        mark=f.alerts_a_day,
        mark_name="now",
    )


def _budget_words(f: Findings, currency: str) -> str:
    if not f.budgets:
        return "Too few payments to say."
    best = max(f.budgets, key=lambda b: b.frauds - b.alerts_a_day / f.budgets[-1].alerts_a_day)
    return (
        f"{count(best.alerts_a_day)} alerts a day, the suspicious ones first, would find {best.frauds:.0%} of the frauds "
        f"and stop {best.money:.0%} of the {_money(f.money.at_stake, currency)} at stake."
    )


def _curve_picture(f: Findings) -> str:
    wanted = np.linspace(0, 1, _MOST_POINTS)
    keep = np.unique(np.searchsorted(f.curve.recall, wanted).clip(0, len(f.curve.recall) - 1))
    return lines(
        [Line("", f.curve.recall[keep].tolist(), f.curve.precision[keep].tolist(), "s1")],
        Axis(0, 1, "share of the frauds found", percent),
        Axis(0, 1, "", percent),
        title="Precision against recall",
        mark=f.caught,
        mark_name="now",
    )


def _curve_words(f: Findings) -> str:
    ap = f.average_precision
    return (
        f"Average precision {ap.value:.3f} (between {ap.low:.3f} and {ap.high:.3f} had other customers been drawn); "
        f"choosing at random would give {f.fraud_rate:.4f}. Upwards: the share of alerts that are fraud."
    )


def _calibration_picture(f: Findings) -> str:
    score, observed = f.reliability.score, f.reliability.observed
    positive = np.concatenate([score[score > 0], observed[observed > 0], [0.5]])
    low = 10 ** np.floor(np.log10(max(1e-5, float(positive.min()))))
    return lines(
        [
            Line("perfect", [low, 1.0], [low, 1.0], "faint"),
            Line("this model", score.tolist(), observed.tolist(), "s1", dots=True),
        ],
        Axis(float(low), 1.0, "promised chance of fraud (score)", percent, log=True),
        Axis(float(low), 1.0, "", percent, log=True),
        title="Promised against observed share of fraud",
    )


def _calibration_words(f: Findings) -> str:
    return (
        f"Upwards: the share that was fraud. On average the score is off by {f.calibration_error:.4f}; the Brier score is "
        f"{f.brier:.4f}, the log-loss {f.log_loss:.4f}. Each dot holds an equal part of the frauds."
    )


def _stage_picture(f: Findings) -> str:
    most = max(s.average_precision for s in f.stages)
    rows = [(f"up to {s.name}", s.average_precision, f"{s.average_precision:.3f}") for s in f.stages]
    return bars(rows, most=most)


def _stage_words(f: Findings) -> str:
    if len(f.stages) < 2:
        return "This model has one stage."
    first, last = f.stages[0], f.stages[-1]
    return (
        f"Average precision if the score had stopped after each stage: {first.average_precision:.3f} with {first.name} "
        f"alone, {last.average_precision:.3f} with everything."
    )


def _month_picture(f: Findings) -> str:
    names = [s.name[2:] if len(f.months) > 6 else s.name for s in f.months]
    picture = columns(names, [s.recall for s in f.months], Axis(0, 1, "", percent), title="Frauds caught by month")
    most = max(s.alerts_a_day for s in f.months) or 1.0
    alerts = columns(
        names, [s.alerts_a_day for s in f.months], Axis(0, most * 1.1, "", count), title="Alerts a day", colour="s2"
    )
    return (
        '<div class="legend"><span class="key s1">frauds caught</span></div>'
        f'{picture}<div class="legend"><span class="key s2">alerts a day</span></div>{alerts}'
    )


def _month_words(f: Findings) -> str:
    known = [s for s in f.months if s.frauds]
    if not known:
        return "No month has known frauds."
    worst, best = min(known, key=lambda s: s.recall), max(known, key=lambda s: s.recall)
    return f"Best in {best.name} ({best.recall:.0%} of the frauds caught), worst in {worst.name} ({worst.recall:.0%})."


def _kind_picture(f: Findings) -> str:
    return bars([(s.name, s.recall, f"{s.recall:.0%} of {s.frauds}") for s in f.kinds])


def _kind_words(f: Findings) -> str:
    worst = f.kinds[-1]
    return f"Share of each kind's payments that rang. Weakest: {worst.name}, {worst.recall:.0%} of {worst.frauds}."


def _early_words(early: EarlyAnswers) -> str:
    return (
        f"{early.traffic:.0%} of the payments were approved early, which saves {early.lookups_saved:.0%} of the look-ups. "
        f"It let through {early.lost:.2%} of {early.frauds:,} frauds, {early.lost_money:.2%} of their money, for which all "
        "stages together would have rung."
    )


def _early_table(early: EarlyAnswers) -> str:
    head = "".join(f"<th>{h}</th>" for h in ("After", "Approved below", "Payments", "Frauds lost", "Their money"))
    rows = "".join(
        f"<tr><td>{escape(s.stage)}</td><td>{f'{s.limit:.5f}' if s.limit else 'never'}</td><td>{s.traffic:.1%}</td>"
        f"<td>{s.lost:.2%}</td><td>{s.lost_money:.2%}</td></tr>"
        for s in early.stages
    )
    return (
        f'<div class="scroll"><table class="months"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _drift_picture(drift: Drift) -> str:
    shown = (drift.score, *drift.features[:7])
    rows = [(s.name, s.worst, f"{s.worst:.2f} {s.words}") for s in shown]
    return bars(rows, most=max(0.5, *(s.worst for s in shown)), colour="s2")


def _tables(f: Findings, currency: str) -> str:
    whole = [
        ("Payments", f"{f.payments:,}" + (f" ({f.unknown:,} of unknown outcome)" if f.unknown else "")),
        ("Frauds", f"{f.frauds:,} ({percent(f.fraud_rate)})"),
        ("Area under the ROC curve", f"{f.roc_auc.value:.4f} ({f.roc_auc.low:.4f} to {f.roc_auc.high:.4f})"),
        (
            "Average precision",
            f"{f.average_precision.value:.4f} ({f.average_precision.low:.4f} to {f.average_precision.high:.4f})",
        ),
        ("Recall at 1 % false positives", f"{f.recall_at_1_percent:.3f}"),
        ("Card Precision@100", f"{f.card_precision_at_100:.3f}"),
        ("Alerts a day", f"{f.alerts_a_day:,.1f}"),
        ("Alerts that were fraud", f"{f.precision:.1%}"),
        ("Fraud stopped", _money(f.money.stopped, currency)),
        ("Fraud missed", _money(f.money.missed, currency)),
        ("Genuine money held", _money(f.money.held_genuine, currency)),
        ("Cost of the alerts", _money(f.money.cost, currency)),
        ("Saved", _money(f.money.saved, currency)),
    ]
    rows = "".join(f"<tr><th>{escape(a)}</th><td>{escape(b)}</td></tr>" for a, b in whole)
    return f'<section class="card wide"><h2>In numbers</h2><table>{rows}</table>{_month_table(f.months)}</section>'


def _month_table(months: Sequence[Span]) -> str:
    head = "".join(
        f"<th>{h}</th>" for h in ("Month", "Payments", "Frauds", "Caught", "Average precision", "Alerts/day")
    )
    rows = "".join(
        f"<tr><td>{s.name}</td><td>{s.payments:,}</td><td>{s.frauds:,}</td><td>{_or_dash(s.recall, '.0%')}</td>"
        f"<td>{_or_dash(s.average_precision, '.3f')}</td><td>{s.alerts_a_day:,.1f}</td></tr>"
        for s in months
    )
    return (
        f'<div class="scroll"><table class="months"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _or_dash(value: float, form: str) -> str:
    return format(value, form) if value == value else "–"


def _money(value: float, currency: str) -> str:
    return f"{currency} {value:,.0f}"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%d %b %Y}"
