"""Compiled: chains of remembered events, one an entity and group, linked through the group's ring; exact windows.

A node is written once, at the ring's head. Each window keeps the position of the oldest node it holds (its tail) and
the totals before that node, so a window's sum is one subtraction. A node knows the totals after it and when its owner's
next one was, so moving on reads one node. A position only grows;
where it lies is its remainder by the ring's size, so a ring can grow without a link being rewritten.
"""

from __future__ import annotations

import numpy as np

from tocsin.features.cells import add_exact, compiled, halved, peek, peekf, poke, pokef, square_exact
from tocsin.features.program import (
    A_COLUMNS,
    A_KIND,
    A_VALUE,
    CLOCK,
    D_COLUMNS,
    D_LOOKUP,
    D_NODE,
    D_PAIR,
    DIFFERENTS,
    E_COLUMNS,
    E_NODE,
    E_ROW,
    E_SIGN,
    E_VALUE,
    EXTREMES,
    FOREVER,
    G_COLUMNS,
    G_DELAY,
    G_DIFFERENT,
    G_DIFFERENTS,
    G_HEAD,
    G_KEEP,
    G_KEEPS,
    G_LEAD,
    G_LONGEST,
    G_NEWEST_FRAUD,
    G_NODE_NUMBER,
    G_NODE_RAW,
    G_NODE_TOTAL,
    G_PLAIN,
    G_REACH,
    G_SUM,
    G_SUMS,
    G_TABLE,
    G_TOTAL,
    G_TOTALS,
    G_VALUE,
    G_VALUES,
    G_WIDTH,
    G_WINDOW,
    G_WINDOWS,
    GROUPS,
    HALVING,
    K_COLUMNS,
    K_KIND,
    K_ROW,
    K_SECOND,
    K_VALUE,
    KEEP_DECAYED,
    KEEP_FIRST,
    KEEP_LAST,
    KEEP_NEWEST,
    KEEP_PLACE,
    KEEPS,
    L_COLUMNS,
    L_TABLE,
    LOOKUPS,
    N_NEWEST,
    N_RECYCLE,
    NEVER,
    NODE_LINK,
    NODE_NEXT_TIME,
    NODE_TIME,
    Q_ADDRESS,
    Q_HEAD,
    Q_MASK,
    Q_TAIL,
    RELEASED,
    SUM_COUNT,
    SUM_FLOAT,
    SUM_MINOR,
    SUMS,
    TAIL,
    TAIL_TIME,
    TAIL_TOTAL,
    W_COLUMNS,
    W_DISTINCT,
    W_EXTREME,
    W_EXTREMES,
    W_FRAUDS,
    W_ROW,
    W_SPAN,
    WINDOWS,
)
from tocsin.features.tables import place_of, ring_state, row_at, rows_of, section


@compiled
def node_of(ring: int, width: int, position: int) -> int:
    """The address of a node."""
    return peek(ring, Q_ADDRESS) + 8 * (position & peek(ring, Q_MASK)) * width


@compiled
def following(node: int, position: int) -> int:
    """The position of the owner's next node, 0 when this is its newest."""
    distance = peek(node, NODE_LINK) & RELEASED
    return position + distance if distance != 0 and distance != RELEASED else 0


@compiled
def enter(program: int, state: int, group: int, ring: int, row: int, position: int, values: int) -> None:
    """From now on the node counts: in every total, in every window, in everything kept."""
    node = node_of(ring, peek(group, G_WIDTH), position)
    time = peek(node, NODE_TIME)
    total, totals = row + 8 * peek(group, G_TOTAL), peek(group, G_TOTALS)
    longest = peek(group, G_LONGEST)
    if longest >= 0 and peek(row, peek(section(program, WINDOWS, longest, W_COLUMNS), W_ROW) + TAIL) == 0:
        for i in range(totals):  # every window is empty: start from nothing, so that no rounding outlives its events
            poke(total, i, 0)
    number = peek(group, G_NODE_NUMBER)
    fraud = peek(node, number) & 1 if number >= 0 else 0
    for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
        window = section(program, WINDOWS, w, W_COLUMNS)
        place = row + 8 * peek(window, W_ROW)
        if peek(place, TAIL) == 0:
            poke(place, TAIL, position)
            poke(place, TAIL_TIME, time)
            for i in range(totals):
                poke(place, TAIL_TOTAL + i, peek(total, i))
        if fraud != 0:
            poke(row, peek(window, W_FRAUDS), peek(row, peek(window, W_FRAUDS)) + 1)
        push_extremes(program, group, ring, row, window, position, values)
    add_to_totals(program, group, total, values)
    after = node + 8 * peek(group, G_NODE_TOTAL)
    for i in range(totals):
        poke(after, i, peek(total, i))
    if peek(group, G_DIFFERENT) != peek(group, G_DIFFERENTS):
        count_different(program, state, group, ring, row, node, position)
    if fraud != 0 and peek(group, G_NEWEST_FRAUD) >= 0:
        poke(row, peek(group, G_NEWEST_FRAUD), max(peek(row, peek(group, G_NEWEST_FRAUD)), time))
    if longest < 0:
        poke(node, NODE_LINK, peek(node, NODE_LINK) | RELEASED)
    keep(program, group, row, time + peek(group, G_DELAY), time, values)


@compiled
def add_to_totals(program: int, group: int, total: int, values: int) -> None:
    """Add one event to its entity's running totals; a value that is not there adds nothing."""
    at = 0
    for a in range(peek(group, G_SUM), peek(group, G_SUMS)):
        wanted = section(program, SUMS, a, A_COLUMNS)
        kind, value = peek(wanted, A_KIND), peek(wanted, A_VALUE)
        x = peekf(values, value) if value >= 0 else 0.0
        there = not np.isnan(x)
        if kind == SUM_COUNT:
            if there:
                poke(total, at, peek(total, at) + 1)
            at += 1
        elif kind == SUM_MINOR:
            if there:
                poke(total, at, peek(total, at) + int(x))
            at += 1
        else:
            if there:
                high, low = peekf(total, at), peekf(total, at + 1)
                if kind == SUM_FLOAT:
                    high, low = add_exact(high, low, x)
                else:
                    square, rest = square_exact(x)
                    high, low = add_exact(high, low, square)
                    high, low = add_exact(high, low, rest)
                pokef(total, at, high)
                pokef(total, at + 1, low)
            at += 2


@compiled
def push_extremes(program: int, group: int, ring: int, row: int, window: int, position: int, values: int) -> None:
    """Keep only what can still become the largest (or smallest): a monotonic queue through the nodes."""
    width, raw = peek(group, G_WIDTH), peek(group, G_NODE_RAW)
    for e in range(peek(window, W_EXTREME), peek(window, W_EXTREMES)):
        extreme = section(program, EXTREMES, e, E_COLUMNS)
        value, sign = peek(extreme, E_VALUE), float(peek(extreme, E_SIGN))
        front, links = peek(extreme, E_ROW), peek(extreme, E_NODE)
        node = node_of(ring, width, position)
        poke(node, links, 0)
        poke(node, links + 1, 0)
        x = sign * peekf(values, value)
        if np.isnan(x):
            continue
        back = peek(row, front + 1)
        while back != 0 and sign * peekf(node_of(ring, width, back), raw + value) <= x:
            back = peek(node_of(ring, width, back), links)
        poke(node, links, back)
        if back == 0:
            poke(row, front, position)
        else:
            poke(node_of(ring, width, back), links + 1, position)
        poke(row, front + 1, position)


@compiled
def count_different(program: int, state: int, group: int, ring: int, row: int, node: int, position: int) -> None:
    """A value counts in a window from its first event there; its earlier event is marked as superseded."""
    for d in range(peek(group, G_DIFFERENT), peek(group, G_DIFFERENTS)):
        different = section(program, DIFFERENTS, d, D_COLUMNS)
        pair = peek(node, peek(different, D_NODE) + 1)
        if pair == 0:
            continue
        table = peek(section(program, LOOKUPS, peek(different, D_LOOKUP), L_COLUMNS), L_TABLE)
        place = row_at(state, table, pair)
        earlier = peek(place, peek(different, D_PAIR))
        counter = d - peek(group, G_DIFFERENT)
        for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
            window = section(program, WINDOWS, w, W_COLUMNS)
            if earlier < peek(row, peek(window, W_ROW) + TAIL):
                cell = peek(window, W_DISTINCT) + counter
                poke(row, cell, peek(row, cell) + 1)
        if earlier >= peek(ring, Q_TAIL):
            poke(node_of(ring, peek(group, G_WIDTH), earlier), peek(different, D_NODE), position)
        poke(place, peek(different, D_PAIR), position)


@compiled
def keep(program: int, group: int, row: int, now: int, time: int, values: int) -> None:
    """What needs no window: newest, first, last value, last place, decayed averages."""
    for k in range(peek(group, G_KEEP), peek(group, G_KEEPS)):
        kept = section(program, KEEPS, k, K_COLUMNS)
        kind, value, place = peek(kept, K_KIND), peek(kept, K_VALUE), row + 8 * peek(kept, K_ROW)
        x = peekf(values, value) if value >= 0 else 0.0
        if np.isnan(x):
            continue
        if kind == KEEP_NEWEST:
            poke(place, 0, time)
        elif kind == KEEP_FIRST:
            if peek(place, 0) == NEVER:
                poke(place, 0, time)
        elif kind == KEEP_LAST:
            pokef(place, 0, x)
        elif kind == KEEP_PLACE:
            y = peekf(values, peek(kept, K_SECOND))
            if not np.isnan(y):
                pokef(place, 0, x)
                pokef(place, 1, y)
                poke(place, 2, time)
        elif kind == KEEP_DECAYED:
            passed, speed = now - peek(place, 0), peekf(section(program, HALVING, k, 1), 0)
            if peekf(place, 1) != 0.0:
                pokef(place, 1, halved(peekf(place, 1), passed, speed))
                pokef(place, 2, halved(peekf(place, 2), passed, speed))
            poke(place, 0, now)
            pokef(place, 1, peekf(place, 1) + 1.0)
            pokef(place, 2, peekf(place, 2) + x)


@compiled
def leave(program: int, group: int, ring: int, row: int, w: int) -> None:
    """A window lets go of its oldest node."""
    window = section(program, WINDOWS, w, W_COLUMNS)
    place = row + 8 * peek(window, W_ROW)
    width, totals = peek(group, G_WIDTH), peek(group, G_TOTALS)
    tail = peek(place, TAIL)
    node = node_of(ring, width, tail)
    next_ = following(node, tail)
    if peek(group, G_LEAD) >= 0 and next_ == peek(row, peek(group, G_LEAD)):
        next_ = 0  # it has not entered yet
    number = peek(group, G_NODE_NUMBER)
    if number >= 0 and peek(node, number) & 1:
        poke(row, peek(window, W_FRAUDS), peek(row, peek(window, W_FRAUDS)) - 1)
    for d in range(peek(group, G_DIFFERENT), peek(group, G_DIFFERENTS)):
        superseded = peek(section(program, DIFFERENTS, d, D_COLUMNS), D_NODE)
        if peek(node, superseded) == 0 and peek(node, superseded + 1) != 0:
            cell = peek(window, W_DISTINCT) + d - peek(group, G_DIFFERENT)
            poke(row, cell, peek(row, cell) - 1)
    if w == peek(group, G_LONGEST):
        poke(node, NODE_LINK, peek(node, NODE_LINK) | RELEASED)
    poke(place, TAIL, next_)
    poke(place, TAIL_TIME, peek(node, NODE_NEXT_TIME))
    after = node + 8 * peek(group, G_NODE_TOTAL)
    for i in range(totals):
        poke(place, TAIL_TOTAL + i, peek(after, i))
    for e in range(peek(window, W_EXTREME), peek(window, W_EXTREMES)):
        extreme = section(program, EXTREMES, e, E_COLUMNS)
        front = peek(row, peek(extreme, E_ROW))
        if front == tail:
            front = peek(node_of(ring, width, tail), peek(extreme, E_NODE) + 1)
            poke(row, peek(extreme, E_ROW), front)
            if front == 0:
                poke(row, peek(extreme, E_ROW) + 1, 0)
            else:
                poke(node_of(ring, width, front), peek(extreme, E_NODE), 0)


@compiled
def advance_plain(program: int, group: int, ring: int, row: int, now: int) -> None:
    """:func:`leave`, for windows that are nothing but totals: the tail is moved first and written once."""
    base, mask, cells = peek(ring, Q_ADDRESS), peek(ring, Q_MASK), 8 * peek(group, G_WIDTH)
    totals, after, longest = peek(group, G_TOTALS), 8 * peek(group, G_NODE_TOTAL), peek(group, G_LONGEST)
    for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
        window = section(program, WINDOWS, w, W_COLUMNS)
        place = row + 8 * peek(window, W_ROW)
        oldest = now - peek(window, W_SPAN)
        tail, time = peek(place, TAIL), peek(place, TAIL_TIME)
        if tail == 0 or time > oldest:
            continue
        node = base
        while tail != 0 and time <= oldest:
            node = base + (tail & mask) * cells
            link, time = peek(node, NODE_LINK), peek(node, NODE_NEXT_TIME)
            if w == longest:
                poke(node, NODE_LINK, link | RELEASED)
            distance = link & RELEASED
            tail = tail + distance if distance != 0 else 0
        poke(place, TAIL, tail)
        poke(place, TAIL_TIME, time)
        for i in range(totals):
            poke(place, TAIL_TOTAL + i, peek(node + after, i))


@compiled
def enter_plain(program: int, group: int, ring: int, row: int, node: int, position: int, values: int) -> None:
    """:func:`enter`, for windows that are nothing but totals."""
    total, totals, time = row + 8 * peek(group, G_TOTAL), peek(group, G_TOTALS), peek(node, NODE_TIME)
    windows = peek(group, G_WINDOWS)
    # The longest window is the last one: when it is empty, all are, and no rounding outlives its events.
    empty = peek(row, peek(section(program, WINDOWS, windows - 1, W_COLUMNS), W_ROW) + TAIL) == 0
    if empty:
        for i in range(totals):
            poke(total, i, 0)
    for w in range(peek(group, G_WINDOW), windows):
        place = row + 8 * peek(section(program, WINDOWS, w, W_COLUMNS), W_ROW)
        if peek(place, TAIL) == 0:
            poke(place, TAIL, position)
            poke(place, TAIL_TIME, time)
            for i in range(totals):
                poke(place, TAIL_TOTAL + i, peek(total, i))
    add_to_totals(program, group, total, values)
    after = node + 8 * peek(group, G_NODE_TOTAL)
    for i in range(totals):
        poke(after, i, peek(total, i))
    keep(program, group, row, time, time, values)


@compiled
def advance(program: int, state: int, g: int, row: int, now: int) -> None:
    """Bring one entity's windows to ``now``: what became old enough enters, what became too old leaves."""
    group = section(program, GROUPS, g, G_COLUMNS)
    width = peek(group, G_WIDTH)
    if width == 0:
        return
    ring = ring_state(program, state, g)
    if peek(group, G_PLAIN):
        advance_plain(program, group, ring, row, now)
        return
    now -= peek(group, G_DELAY)
    if peek(group, G_LEAD) >= 0:
        lead = peek(row, peek(group, G_LEAD))
        while lead != 0:
            node = node_of(ring, width, lead)
            if peek(node, NODE_TIME) > now:
                break
            next_ = following(node, lead)
            enter(program, state, group, ring, row, lead, node + 8 * peek(group, G_NODE_RAW))
            lead = next_
        poke(row, peek(group, G_LEAD), lead)
    for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
        window = section(program, WINDOWS, w, W_COLUMNS)
        place = row + 8 * peek(window, W_ROW)
        oldest = now - peek(window, W_SPAN)
        while peek(place, TAIL) != 0 and peek(place, TAIL_TIME) <= oldest:
            leave(program, group, ring, row, w)


@compiled
def store(program: int, state: int, g: int, row: int, number: int, values: int, rows: int) -> None:
    """Remember one event under one entity, at the entity's clock."""
    group = section(program, GROUPS, g, G_COLUMNS)
    width, time = peek(group, G_WIDTH), peek(row, CLOCK)
    if width == 0:
        keep(program, group, row, time, time, values)
        return
    ring = ring_state(program, state, g)
    position = peek(ring, Q_HEAD)
    poke(ring, Q_HEAD, position + 1)
    if position == peek(ring, Q_TAIL):
        poke(state, N_RECYCLE, min(peek(state, N_RECYCLE), time + peek(group, G_REACH)))
    node = node_of(ring, width, position)
    poke(node, NODE_TIME, time)
    poke(node, NODE_LINK, place_of(state, peek(group, G_TABLE), row) << 32)
    poke(node, NODE_NEXT_TIME, 0)
    if peek(group, G_NODE_NUMBER) >= 0:
        poke(node, peek(group, G_NODE_NUMBER), number << 1)
    if peek(group, G_NODE_RAW) >= 0:
        for i in range(peek(group, G_VALUES) - peek(group, G_VALUE)):
            poke(node, peek(group, G_NODE_RAW) + i, peek(values, i))
    for d in range(peek(group, G_DIFFERENT), peek(group, G_DIFFERENTS)):
        different = section(program, DIFFERENTS, d, D_COLUMNS)
        poke(node, peek(different, D_NODE), 0)
        pair = peek(rows, peek(different, D_LOOKUP))
        if pair != 0:
            table = peek(section(program, LOOKUPS, peek(different, D_LOOKUP), L_COLUMNS), L_TABLE)
            pair = place_of(state, table, pair)
        poke(node, peek(different, D_NODE) + 1, pair)
    newest = peek(row, peek(group, G_HEAD))
    if newest >= peek(ring, Q_TAIL):
        link = node_of(ring, width, newest)
        if peek(link, NODE_LINK) & RELEASED == 0:
            poke(link, NODE_LINK, peek(link, NODE_LINK) | (position - newest))
            poke(link, NODE_NEXT_TIME, time)
    poke(row, peek(group, G_HEAD), position)
    if peek(group, G_PLAIN):
        enter_plain(program, group, ring, row, node, position, values)
        return
    if peek(group, G_LEAD) < 0:
        enter(program, state, group, ring, row, position, values)
        return
    for i in range(peek(group, G_TOTALS)):
        poke(node, peek(group, G_NODE_TOTAL) + i, 0)
    for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
        window = section(program, WINDOWS, w, W_COLUMNS)
        for e in range(peek(window, W_EXTREME), peek(window, W_EXTREMES)):
            links = peek(section(program, EXTREMES, e, E_COLUMNS), E_NODE)
            poke(node, links, 0)
            poke(node, links + 1, 0)
    if peek(row, peek(group, G_LEAD)) == 0:
        poke(row, peek(group, G_LEAD), position)


@compiled
def recycle(program: int, state: int) -> None:
    """Let go of every node older than its group's reach, also of entities that nobody has asked about since."""
    newest, soonest = peek(state, N_NEWEST), FOREVER
    for g in range(rows_of(program, GROUPS)):
        group = section(program, GROUPS, g, G_COLUMNS)
        width = peek(group, G_WIDTH)
        if width == 0:
            continue
        ring = ring_state(program, state, g)
        tail, head, reach = peek(ring, Q_TAIL), peek(ring, Q_HEAD), peek(group, G_REACH)
        while tail != head:
            node = node_of(ring, width, tail)
            if peek(node, NODE_TIME) + reach > newest:
                soonest = min(soonest, peek(node, NODE_TIME) + reach)
                break
            if peek(node, NODE_LINK) & RELEASED != RELEASED:
                let_go(program, state, group, ring, tail)
            tail += 1
            poke(ring, Q_TAIL, tail)
    poke(state, N_RECYCLE, soonest)


@compiled
def let_go(program: int, state: int, group: int, ring: int, position: int) -> None:
    """The ring's oldest node leaves every window of its owner; what waited for its delay has its effect first."""
    node = node_of(ring, peek(group, G_WIDTH), position)
    row = row_at(state, peek(group, G_TABLE), peek(node, NODE_LINK) >> 32)
    if peek(group, G_LEAD) >= 0 and peek(row, peek(group, G_LEAD)) == position:
        next_ = following(node, position)
        enter(program, state, group, ring, row, position, node + 8 * peek(group, G_NODE_RAW))
        poke(row, peek(group, G_LEAD), next_)
    for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
        place = row + 8 * peek(section(program, WINDOWS, w, W_COLUMNS), W_ROW)
        if peek(place, TAIL) == position:
            leave(program, group, ring, row, w)


@compiled
def learn_label(program: int, state: int, of: int, fraud: int) -> None:
    """A label arrived: mark the payment wherever it is still remembered, and count it in the windows that hold it."""
    for g in range(rows_of(program, GROUPS)):
        group = section(program, GROUPS, g, G_COLUMNS)
        number = peek(group, G_NODE_NUMBER)
        if number < 0:
            continue
        ring, width = ring_state(program, state, g), peek(group, G_WIDTH)
        low, high = peek(ring, Q_TAIL), peek(ring, Q_HEAD)
        while low < high:
            middle = (low + high) >> 1
            if peek(node_of(ring, width, middle), number) >> 1 < of:
                low = middle + 1
            else:
                high = middle
        if low == peek(ring, Q_HEAD):
            continue
        node = node_of(ring, width, low)
        if peek(node, number) >> 1 != of or peek(node, number) & 1 == fraud:
            continue
        poke(node, number, of << 1 | fraud)
        row = row_at(state, peek(group, G_TABLE), peek(node, NODE_LINK) >> 32)
        lead = peek(row, peek(group, G_LEAD)) if peek(group, G_LEAD) >= 0 else 0
        if lead != 0 and low >= lead:
            continue  # it has not entered yet; its mark enters with it
        for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
            window = section(program, WINDOWS, w, W_COLUMNS)
            tail = peek(row, peek(window, W_ROW) + TAIL)
            if tail != 0 and low >= tail:
                cell = peek(window, W_FRAUDS)
                poke(row, cell, peek(row, cell) + 2 * fraud - 1)
        if peek(group, G_NEWEST_FRAUD) >= 0:
            renew_newest_fraud(group, ring, row, low, fraud)


@compiled
def renew_newest_fraud(group: int, ring: int, row: int, position: int, fraud: int) -> None:
    """Keep the time of the newest payment known as fraud; a correction looks for the one before it."""
    width, number, cell = peek(group, G_WIDTH), peek(group, G_NODE_NUMBER), peek(group, G_NEWEST_FRAUD)
    node = node_of(ring, width, position)
    if fraud != 0:
        poke(row, cell, max(peek(row, cell), peek(node, NODE_TIME)))
        return
    if peek(row, cell) != peek(node, NODE_TIME):
        return
    owner = peek(node, NODE_LINK) >> 32
    lead = peek(row, peek(group, G_LEAD)) if peek(group, G_LEAD) >= 0 else 0
    poke(row, cell, NEVER)
    position = (lead if lead != 0 else peek(ring, Q_HEAD)) - 1
    while position >= peek(ring, Q_TAIL):
        node = node_of(ring, width, position)
        if peek(node, NODE_LINK) >> 32 == owner and peek(node, number) & 1:
            poke(row, cell, peek(node, NODE_TIME))
            return
        position -= 1
