"""The page in a real browser, as an analyst opens it: from disk, with no network."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hunted import Hunted

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no browser on PATH (looked for {', '.join(names)})")
    with api.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield opened
        opened.close()


@dataclass
class Opened:
    """The page, and what it did that it should not do."""

    page: Page
    said: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)


@pytest.fixture
def opened(browser: Browser, scenario_hunt: Hunted, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The report of the scenario; a parameter changes the window: (width, scheme)."""
    width, scheme = getattr(request, "param", (1280, "light"))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    made = Opened(context.new_page())
    made.page.on("console", lambda message: made.said.append(message.text))
    made.page.on("pageerror", lambda error: made.said.append(str(error)))
    made.page.on("request", lambda asked: made.fetched.append(asked.url))
    address = (scenario_hunt.out / "report.html").as_uri()
    made.page.goto(address)
    yield made
    assert made.said == []
    assert {url.partition("#")[0] for url in made.fetched} == {address}
    context.close()


def test_the_ranking_leads_to_the_stories(opened: Opened, scenario_hunt: Hunted) -> None:
    page = opened.page
    assert page.locator("h1").inner_text() == "3 accounts to look at first"
    rows = page.locator("#ranking > table.ranking tr.high")
    assert rows.count() == 3
    labels = {account["account"]: account["label"] for account in scenario_hunt.report["accounts"]}
    for at, account in enumerate(scenario_hunt.accounts[:3]):
        assert labels[account["account"]] in rows.nth(at).inner_text()
        assert "high" in rows.nth(at).inner_text()
    first = rows.nth(0).locator("a")
    first.click()
    section = page.locator("#account-1")
    assert first.inner_text() in section.locator("h2").inner_text()
    top = section.evaluate("section => section.getBoundingClientRect().top")
    for _ in range(50):  # it scrolls smoothly
        if abs(top) < 60:
            break
        page.wait_for_timeout(100)
        top = section.evaluate("section => section.getBoundingClientRect().top")
    assert abs(top) < 60
    assert section.locator(".story li").count() > 5


def test_a_finding_opens_and_shows_its_evidence(opened: Opened, scenario_hunt: Hunted) -> None:
    section = opened.page.locator("#account-1")
    gravest = section.locator("details.finding.high").first
    assert gravest.evaluate("found => found.open")  # what matters most needs no click
    assert "Harmless if" in gravest.inner_text()
    low = section.locator("details.finding.low").first
    evidence = low.locator(".evidence")
    assert not evidence.is_visible()
    low.locator("summary").click()
    assert evidence.is_visible()
    said = evidence.inner_text()
    paths = {source["path"] for source in scenario_hunt.report["sources"]}
    assert any(path in said for path in paths)
    assert "line " in said
    assert "SHA-256" in said


def test_an_account_to_watch_folds_and_its_link_shows_it(opened: Opened) -> None:
    folded = opened.page.locator("details.account").first
    story = folded.locator(".story")
    assert not story.is_visible()
    opened.page.locator(f"#ranking a[href='#{folded.get_attribute('id')}']").click()
    story.wait_for(state="visible")


def test_the_pictures_are_drawn(opened: Opened) -> None:
    section = opened.page.locator("#account-1")
    line = section.locator("svg.timeline")
    assert line.locator("rect.mark").count() > 5
    assert line.locator("rect.mark.high").count() > 0
    assert line.locator("rect.act").count() > 5
    box = line.bounding_box()
    assert box is not None
    assert box["width"] > 600
    frame = line.evaluate(
        "svg => { const b = svg.getBBox(); return [b.x, b.x + b.width, svg.viewBox.baseVal.width] }"
    )
    assert 0 <= frame[0] < frame[1] <= frame[2] + 1  # nothing is drawn or written beyond the edge
    # The gravest is drawn last: nothing of a lower level covers a mark of a higher one.
    levels = line.locator("rect.mark").evaluate_all("marks => marks.map(mark => mark.classList[1])")
    order = ["informational", "low", "medium", "high", "critical"]
    assert [order.index(level) for level in levels] == sorted(order.index(level) for level in levels)
    hours = section.locator("svg.bars[aria-label='Activity by hour of the day']")
    assert hours.locator("rect.off").count() > 0
    assert hours.locator("rect.shade").count() == 1


@pytest.mark.parametrize(
    "opened",
    [
        (1280, "light"),
        (1280, "dark"),
        (961, "light"),
        (768, "light"),
        (390, "light"),
        (320, "light"),
        (390, "dark"),
    ],
    indirect=True,
    ids=[
        "desktop",
        "desktop, dark",
        "small desktop",
        "tablet",
        "telephone",
        "small telephone",
        "telephone, dark",
    ],
)
def test_nothing_is_wider_than_the_window(opened: Opened) -> None:
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    wide = page.evaluate(
        """() => [...document.querySelectorAll('body, main, section, table, p, details')]
        .filter(each => each.scrollWidth > innerWidth || each.getBoundingClientRect().right > innerWidth + 1)
        .map(each => `${each.tagName}.${each.className} ${each.textContent.trim().slice(0, 60)}`)"""
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("opened", [(1280, "light"), (1280, "dark")], indirect=True, ids=["light", "dark"])
def test_text_can_be_told_from_what_is_behind_it(opened: Opened) -> None:
    """Contrast of 4.5 to 1 at least (WCAG 2.2, criterion 1.4.3) for every colour of text and its paper."""
    poor = opened.page.evaluate(
        """() => {
        const light = colour => {
            const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(each => each / 255)
                .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = each => {
            for (; each; each = each.parentElement) {
                const paint = getComputedStyle(each).backgroundColor;
                if (!paint.endsWith(', 0)')) return paint;
            }
        };
        const seen = new Set();
        for (const each of document.querySelectorAll('main *, header *')) {
            const words = [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim());
            if (!words || !each.checkVisibility()) continue;
            const style = getComputedStyle(each);
            const colour = each instanceof SVGElement ? style.fill : style.color;
            const [high, low] = [light(colour), light(behind(each))].sort((a, b) => b - a);
            const name = `${each.tagName}.${each.getAttribute('class')} ${colour}`;
            if ((high + 0.05) / (low + 0.05) < 4.5) seen.add(name);
        }
        return [...seen];
    }"""
    )
    assert poor == []


def test_it_prints(opened: Opened, tmp_path: Path) -> None:
    opened.page.pdf(path=tmp_path / "report.pdf")
    printed = (tmp_path / "report.pdf").read_bytes()
    assert printed.startswith(b"%PDF-")
    assert len(printed) > 50_000


def test_a_hostile_name_is_only_text(browser: Browser, tmp_path: Path) -> None:
    """The same page made of names that are markup: nothing runs, nothing is fetched, the words are shown."""
    from test_report import HOSTILE, a_report  # noqa: PLC0415 - only here

    from analysis.report import files  # noqa: PLC0415 - only here

    markup = '"><img src="https://example.org/x.png" onerror="document.title=1">' + HOSTILE
    files.write(a_report(markup), tmp_path)
    context = browser.new_context(offline=True)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    assert asked == [(tmp_path / "report.html").as_uri()]
    assert page.title().startswith("molehunt")
    assert page.locator("img, script").count() == 0
    assert "<script>alert(1)</script>" in page.locator("#account-1").inner_text()
    context.close()
