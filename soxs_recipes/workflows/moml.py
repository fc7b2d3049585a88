"""MoML, the XML of Ptolemy II and Kepler workflows: a tree of actors, written as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree

PARAMETER = "ptolemy.data.expr.Parameter"
STRING_PARAMETER = "ptolemy.data.expr.StringParameter"
FILE_PARAMETER = "ptolemy.data.expr.FileParameter"
STRING_ATTRIBUTE = "ptolemy.kernel.util.StringAttribute"
SINGLETON = "ptolemy.data.expr.SingletonParameter"
LOCATION = "ptolemy.kernel.util.Location"
COMPOSITE = "ptolemy.actor.TypedCompositeActor"
IO_PORT = "ptolemy.actor.TypedIOPort"
PARAMETER_PORT = "ptolemy.actor.parameters.ParameterPort"
IO_RELATION = "ptolemy.actor.TypedIORelation"

_HEAD = """<?xml version="1.0" standalone="no"?>
<!DOCTYPE entity PUBLIC "-//UC Berkeley//DTD MoML 1//EN"
    "http://ptolemy.eecs.berkeley.edu/xml/dtd/MoML_1.dtd">
"""

Point = tuple[float, float]


@dataclass(frozen=True)
class Property:
    """A property: its name, its Java class and value where it has them, what it holds."""

    name: str
    java: str = ""
    value: str | None = None
    children: tuple[Property, ...] = ()


@dataclass(frozen=True)
class Port:
    """A port of an actor.

    Attributes
    ----------
    name : str
        Name; blanks are allowed.
    direction : {'input', 'output'}
        Seen from the actor.
    multi : bool
        Whether several relations may be linked to it.
    side : str
        Side of the icon (``NORTH``, ``EAST``...); empty for the default.
    location : point or None
        Where it stands inside a composite.
    rate : int or None
        Tokens it takes per firing, where the director cannot know.
    shown : bool
        Whether its name is drawn on the canvas.
    java : str
        Java class.
    """

    name: str
    direction: str
    multi: bool = False
    side: str = ""
    location: Point | None = None
    rate: int | None = None
    shown: bool = False
    java: str = IO_PORT


@dataclass(frozen=True)
class Link:
    """An output port and the input ports it feeds, as ``Actor.port`` or a port of the composite."""

    source: str
    targets: tuple[str, ...]
    vertex: Point | None = None


@dataclass(frozen=True)
class Actor:
    """An actor: an instance of a Java class, or a composite of further actors."""

    name: str
    java: str
    location: Point = (0.0, 0.0)
    properties: tuple[Property, ...] = ()
    ports: tuple[Port, ...] = ()
    actors: tuple[Actor, ...] = ()
    links: tuple[Link, ...] = ()

    def at(self, x: float, y: float) -> Actor:
        """Return the same actor at another place."""
        return replace(self, location=(x, y))


def parameter(name: str, value: str, java: str = PARAMETER) -> Property:
    """Set a parameter of an actor."""
    return Property(name, java, value)


def director(x: float, y: float, *, inside: bool) -> Property:
    """Dynamic-dataflow director; one inside a composite works until nothing is left to do."""
    values = {
        "iterations": "0",
        "maximumReceiverCapacity": "0",
        "runUntilDeadlockInOneIteration": "true" if inside else "false",
    }
    children = [parameter(name, value) for name, value in values.items()]
    java = "ptolemy.domains.ddf.kernel.DDFDirector"
    return Property("DDF Director", java, None, (*children, location(x, y)))


def location(x: float, y: float) -> Property:
    """Place on the canvas."""
    return Property("_location", LOCATION, f"[{x:.1f}, {y:.1f}]")


def annotation(
    name: str, text: str, place: Point, *, size: int = 14, bold: bool = False
) -> Property:
    """Text on the canvas."""
    children = (
        parameter("_hideName", "true", SINGLETON),
        parameter("_hideAllParameters", "true"),
        parameter("textSize", str(size)),
        parameter("textColor", "{0.1,0.2,0.5,1.0}", "ptolemy.actor.gui.ColorAttribute"),
        parameter("fontFamily", "SansSerif", STRING_PARAMETER),
        parameter("bold", str(bold).lower()),
        parameter("text", text, STRING_ATTRIBUTE),
        location(*place),
    )
    return Property(name, "ptolemy.vergil.kernel.attributes.TextAttribute", None, children)


def visible(name: str, value: str, java: str, place: Point) -> Property:
    """Build a parameter of the workflow that is shown and edited on its canvas."""
    children: list[Property] = [
        Property("_hideName", "ptolemy.kernel.util.SingletonAttribute"),
        Property("_editorFactory", "ptolemy.vergil.toolbox.VisibleParameterEditorFactory"),
        location(*place),
    ]
    if java == FILE_PARAMETER:
        children += directory_only()
    return Property(name, java, value, tuple(children))


def directory_only() -> tuple[Property, Property]:
    """Make a file parameter accept directories and no files."""
    return parameter("allowFiles", "false"), parameter("allowDirectories", "true")


def composite(
    name: str,
    actors: Iterable[Actor],
    links: Iterable[Link],
    *,
    ports: Iterable[Port] = (),
    properties: Iterable[Property] = (),
) -> Actor:
    """Actor made of actors, with a director of its own."""
    own = (director(40.0, 40.0, inside=True), *properties)
    return Actor(name, COMPOSITE, (0.0, 0.0), own, tuple(ports), tuple(actors), tuple(links))


def write(root: Actor) -> str:
    """MoML text of a workflow."""
    element = _entity(root, placed=False)
    ElementTree.indent(element, "  ")
    return _HEAD + ElementTree.tostring(element, encoding="unicode") + "\n"


def _entity(actor: Actor, *, placed: bool = True) -> ElementTree.Element:
    element = ElementTree.Element("entity", {"name": actor.name, "class": actor.java})
    placement = (location(*actor.location),) if placed else ()
    element.extend(_property(item) for item in (*actor.properties, *placement))
    element.extend(_port(item) for item in actor.ports)
    element.extend(_entity(item) for item in actor.actors)
    names = [f"relation{number}" for number, _ in enumerate(actor.links, 1)]
    pairs = list(zip(names, actor.links, strict=True))
    element.extend(_relation(name, link.vertex) for name, link in pairs)
    element.extend(_links(pairs))
    return element


def _property(item: Property) -> ElementTree.Element:
    attributes = {"name": item.name}
    if item.java:
        attributes["class"] = item.java
    if item.value is not None:
        attributes["value"] = item.value
    element = ElementTree.Element("property", attributes)
    element.extend(_property(child) for child in item.children)
    return element


def _port(port: Port) -> ElementTree.Element:
    element = ElementTree.Element("port", {"name": port.name, "class": port.java})
    element.append(_property(Property(port.direction)))
    if port.multi:
        element.append(_property(Property("multiport")))
    element.extend(_property(item) for item in _port_properties(port))
    return element


def _port_properties(port: Port) -> Iterator[Property]:
    if port.shown:
        yield parameter("_showName", "true", SINGLETON)
    if port.side:
        yield parameter("_cardinal", port.side, STRING_ATTRIBUTE)
    if port.rate is not None:
        yield parameter("tokenConsumptionRate", str(port.rate))
    if port.location is not None:
        yield location(*port.location)


def _relation(name: str, vertex: Point | None) -> ElementTree.Element:
    element = ElementTree.Element("relation", {"name": name, "class": IO_RELATION})
    element.append(_property(parameter("width", "1")))
    if vertex is not None:
        place = "[{:.1f}, {:.1f}]".format(*vertex)
        ElementTree.SubElement(element, "vertex", {"name": "vertex1", "value": place})
    return element


def _links(pairs: Sequence[tuple[str, Link]]) -> Iterator[ElementTree.Element]:
    for name, link in pairs:
        for port in (link.source, *link.targets):
            yield ElementTree.Element("link", {"port": port, "relation": name})
