"""Drive the site in a browser, as its readers do: `make site-check`.

Usage: check.py FOLDER SCREENSHOTS. Prints what is wrong, a line each, and leaves pictures of some
pages for the eye.

# Design:
# - Chromium is the system's, and meets the site on localhost; what it asks of elsewhere is a fault.
# - What the explorer says is compared with the ufuncs, for numbers that its sliders were moved to.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

import s3s4

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SETTINGS = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
"""As root, as in a container, Chromium has no sandbox; and it finds nobody but us."""
WIDTHS = (1280, 390)
SHOWN = ("index", "guide", "functions/index", "functions/s4", "gallery", "performance", "reference")
"""Pages whose pictures are kept."""
MOVES = {"s4": ("k",), "softplus": ("beta", "threshold"), "rational_softsign": ("a", "b")}
"""Functions of the explorer, with the parameters that are moved."""

TOO_WIDE = """() => {
    const scrolls = (one) => one && !one.matches("body, .bd-article-container")
        && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
    return [...document.body.querySelectorAll("*")]
        .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
        .filter((one) => one.checkVisibility() && !scrolls(one.parentElement))
        .map((one) => `${one.tagName} ${one.id} ${one.className}`).slice(0, 3);
}"""
"""What reaches beyond the right edge, and lies in nothing that scrolls."""
CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (...colours) => {
        for (const colour of colours) {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
        }
        const linear = [...canvas.getImageData(0, 0, 1, 1).data].map(
            (v) => (v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    return [...document.querySelectorAll("p, pre, label, select, button, text")]
        .filter((one) => one.checkVisibility() && one.textContent.trim())
        .map((one) => {
            const grounds = [];
            for (let at = one; at; at = at.parentElement) {
                grounds.unshift(getComputedStyle(at).backgroundColor);
            }
            const style = getComputedStyle(one), ground = luminance(...grounds);
            const ink = luminance(...grounds, one.matches("text") ? style.fill : style.color);
            const [low, high] = [ink, ground].sort((a, b) => a - b);
            return [(high + 0.05) / (low + 0.05), one.textContent.trim().slice(0, 30)];
        });
}"""
"""By how much letters stand out from their ground, as WCAG defines it."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on localhost; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


class Check:
    """The faults of a site, and what is known of its pages while they are visited."""

    def __init__(self, browser: Browser, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder
        self.faults: list[str] = []
        self.anchors: dict[str, set[str]] = {}
        self.links: dict[str, set[str]] = {}

    def expect(self, condition: object, fault: str) -> None:
        if not condition:
            self.faults.append(fault)

    def opened(self, scheme: str = "light") -> Page:
        """Return a page that records its errors and reaches nothing but the site."""
        page = self.browser.new_page(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})

        page.on(
            "request",
            lambda request: self.expect(
                request.url.startswith((self.address, "data:", "blob:")),
                f"{page.url} asks for {request.url}",
            ),
        )
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda said: self.expect(said.type != "error", f"{page.url} says {said.text}"),
        )
        return page

    def every_page(self) -> None:
        """Visit every page in both widths, and note its links and anchors."""
        page = self.opened()
        for file in sorted(self.folder.rglob("*.html")):
            place = file.relative_to(self.folder).as_posix()
            if place.startswith("_static/"):
                continue
            page.goto(self.address + place)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                for wide in page.evaluate(TOO_WIDE):
                    self.faults.append(f"{place} is wider than {width} pixels: {wide}")
            found = page.evaluate(
                """() => ({
                    ids: [...document.querySelectorAll("[id]")].map((one) => one.id),
                    links: [...document.querySelectorAll("a[href]")].map((one) => one.href),
                    unnamed: [...document.images].filter((one) => !one.alt).map((one) => one.src),
                    broken: [...document.images]
                        .filter((one) => one.complete && !one.naturalWidth && one.offsetParent)
                        .map((one) => one.src),
                })"""
            )
            self.anchors[place], self.links[place] = {*found["ids"]}, {*found["links"]}
            for image in (*found["unnamed"], *found["broken"]):
                self.faults.append(f"{place}: the picture {image} is broken or has no text")

    def every_link(self) -> None:
        """Follow the links within the site to their anchors."""
        for place, links in self.links.items():
            for link in links:
                if not link.startswith(self.address):
                    continue
                url, anchor = urldefrag(link.removeprefix(self.address))
                target = unquote(url).partition("?")[0] or "index.html"
                known = target in self.anchors or (self.folder / target).is_file()
                self.expect(known, f"{place}: {target} is not there")
                if anchor and target in self.anchors:
                    there = {"", *self.anchors[target]}
                    self.expect(unquote(anchor) in there, f"{place}: {target} has no #{anchor}")

    def search(self) -> None:
        """Look for something, from the button to the page that it leads to."""
        page = self.opened()
        page.goto(self.address + "index.html")
        page.keyboard.press("Control+k")
        page.keyboard.type("softsign")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html*")
        page.wait_for_selector("#search-results li a")
        found = page.locator("#search-results li a").evaluate_all("all => all.map((a) => a.href)")
        wanted = "functions/softsign.html"
        self.expect(any(wanted in link for link in found), f"search does not find {wanted}")

    def dark_mode(self) -> None:
        """Switch to the other theme, and find another ground and other pictures."""
        page = self.opened()
        page.goto(self.address + "functions/s4.html")
        seen = set()
        for theme in ("light", "dark"):
            page.get_by_role("button", name="Color mode").first.click()
            page.get_by_role("button", name=theme.capitalize(), exact=True).first.click()
            ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
            shown = page.evaluate(
                "[...document.querySelectorAll('article img')].filter((one) => one.offsetParent)"
                ".map((one) => one.src).join()"
            )
            self.expect(theme in shown, f"in the {theme} theme the picture is {shown}")
            seen.add(ground)
            page.goto(self.address + "index.html")
            for ratio, text in page.evaluate(CONTRASTS):
                self.expect(
                    ratio >= 4.5, f"in the {theme} theme {text!r} stands out by {ratio:.1f}"
                )
            page.go_back()
        self.expect(len(seen) == 2, f"both themes have the ground {seen}")

    def explorer(self) -> None:
        """Move its sliders and its point by keys, and compare what it says with the ufuncs."""
        page = self.opened()
        page.goto(self.address + "index.html")
        for name, parameters in MOVES.items():
            page.get_by_label("Function").select_option(name)
            for parameter in parameters:
                slider = page.locator(f"#parameter-{parameter}")
                before = slider.input_value()
                for _ in range(13):
                    slider.press("ArrowRight")
                self.expect(slider.input_value() != before, f"the slider of {parameter} is stuck")
            page.locator("#graph").focus()
            for _ in range(17):
                page.keyboard.press("ArrowLeft")
            self.compare(page, name)
        page.get_by_label("Function").select_option("s4")
        facts = page.locator("#facts")
        self.expect(
            "(5 \N{MINUS SIGN} k)/8 = 0.0000" in facts.inner_text(), "S4'(0) is not 0 at k = 5"
        )
        page.get_by_label("Beside it").select_option("gelu")
        said = numbers(page.locator("#point").inner_text())
        expected = float(s3s4.gelu(said["x"]))
        self.expect(abs(said["gelu"] - expected) < 1e-8, f"gelu is {said['gelu']} beside s4")
        page.get_by_role("button", name="Let k run").click()
        page.wait_for_function("Number(document.querySelector('#parameter-k').value) > 1.2")
        page.get_by_role("button", name="Stop").click()
        self.compare(page, "s4")

    def compare(self, page: Page, name: str) -> None:
        """Compare what the explorer says at its point with the ufuncs."""
        said = numbers(page.locator("#point").inner_text())
        names = s3s4.get(name).parameters
        given = [float(page.locator(f"#parameter-{one}").input_value()) for one in names]
        call = s3s4.activations[name]
        expected = {"value": call(said["x"], *given)}
        expected |= {by: call.derivative(said["x"], *given, wrt=by) for by in ("x", *names)}
        for what, value in expected.items():
            shown = said["value" if what == "value" else f"by {what}"]
            near = np.isclose(shown, value, rtol=1e-8, atol=1e-12)
            self.expect(near, f"the explorer's {name}{given} by {what} is {shown}, not {value}")

    def pictures(self, folder: Path) -> None:
        """Keep pictures of some pages, in both themes and widths."""
        shutil.rmtree(folder, ignore_errors=True)
        for scheme in ("light", "dark"):
            page = self.opened(scheme)
            for place in SHOWN:
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    page.goto(f"{self.address}{place}.html")
                    name = f"{place.replace('/', '-')}-{scheme}-{width}.png"
                    page.screenshot(
                        path=folder / name, full_page=place in ("index", "functions/s4")
                    )


def numbers(text: str) -> dict[str, float]:
    """Return what the explorer says at its point, by what stands before each number."""
    lines = (re.fullmatch(r"(.*?)(?: =)? (\S+)", line) for line in text.splitlines())
    return {found[1]: float(found[2].replace("\N{MINUS SIGN}", "-")) for found in lines if found}


def main(folder: Path, screenshots: Path) -> int:
    """Check a site, and say what is wrong."""
    found = [path for path in map(shutil.which, BROWSERS) if path]
    if not found:
        print("site-check is skipped: there is no Chromium (on Debian: apt install chromium)")
        return 0
    with sync_playwright() as playwright, served(folder) as address:
        browser = playwright.chromium.launch(executable_path=found[0], args=SETTINGS)
        check = Check(browser, address, folder)
        check.every_page()
        check.every_link()
        check.search()
        check.dark_mode()
        check.explorer()
        check.pictures(screenshots)
        browser.close()
    print(*check.faults, sep="\n")
    links = sum(map(len, check.links.values()))
    print(f"{len(check.anchors)} pages, {links} links, {len(check.faults)} faults")
    return bool(check.faults)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
