"""Draws how the median of each question grows with the trail, as SVG on standard output.

    python bench/peers/plot.py 1000000=one.json 5000000=five.json > docs/images/search-growth.svg

Each file is the line that bench-search printed with --json.
"""

import json
import math
import sys

QUESTIONS = {
    "identity_last_50": ("one identity's last 50", "#1b6ca8"),
    "needle_address": ("needle: address", "#c8553d"),
    "needle_event_id": ("needle: event id", "#588b8b"),
    "needle_text": ("needle: free text", "#f28f3b"),
    "failed_sign_ins_by_country_7_days": ("failed sign-ins by country, 7 days", "#7b2d8b"),
    "histogram_and_5_facets_of_all": ("histogram and 5 facets of all", "#444444"),
}
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 360, 60, 40, 20, 250


def main():
    runs = []
    for argument in sys.argv[1:]:
        events, path = argument.split("=", 1)
        with open(path, encoding="utf-8") as file:
            figures = json.load(file)
        warm = next(section for name, section in figures.items() if name.startswith("warm"))
        runs.append((int(events), {question: warm[f"{question}_median_ms"] for question in QUESTIONS}))
    runs.sort()
    low, high = math.log10(runs[0][0]) - 0.05, math.log10(runs[-1][0]) + 0.05
    at_x = lambda events: LEFT + (math.log10(events) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    at_y = lambda ms: HEIGHT - BOTTOM - (math.log10(max(ms, 1)) / 3) * (HEIGHT - BOTTOM - TOP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for ms in (1, 10, 100, 1000):
        y = at_y(ms)
        out.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{ms} ms</text>')
    for events, _ in runs:
        out.append(f'<text x="{at_x(events):.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{events / 1e6:g} M</text>')
    # Names stand at the height of their last point, moved apart where these are close.
    last_y = -100
    for question in sorted(QUESTIONS, key=lambda question: at_y(runs[-1][1][question])):
        name, colour = QUESTIONS[question]
        points = " ".join(f"{at_x(events):.1f},{at_y(values[question]):.1f}" for events, values in runs)
        out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for events, values in runs:
            out.append(f'<circle cx="{at_x(events):.1f}" cy="{at_y(values[question]):.1f}" r="3" fill="{colour}"/>')
        last_y = max(last_y + 15, at_y(runs[-1][1][question]))
        shown = f"{name}: {runs[-1][1][question]:.1f} ms"
        out.append(f'<text x="{WIDTH - RIGHT + 10}" y="{last_y + 4:.1f}" fill="{colour}">{shown}</text>')
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
