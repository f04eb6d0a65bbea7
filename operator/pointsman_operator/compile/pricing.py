"""What a token of a model behind somebody's API costs: by the pool's own words or the catalogue."""

from __future__ import annotations

from typing import Literal

from pointsman_operator.api import money
from pointsman_operator.api.pool import MediaPricing, Pricing, UnitPrice
from pointsman_operator.api.provider import Provider
from pointsman_operator.catalog.catalogue import Entry
from pointsman_operator.compile.hosted import caches_nothing, is_claude
from pointsman_operator.compile.table import TableMedia, TablePricing


def pool_pricing(own: Pricing, given: Provider | None) -> TablePricing:
    """The pool's words; None: of a self-hosted model."""
    return _pricing(
        money.picodollars_per_token(own.input_per_mtok),
        _optional(own.cached_input_per_mtok),
        money.picodollars_per_token(own.output_per_mtok),
        (_optional(own.cache_write_per_mtok), _optional(own.cache_write_long_per_mtok)),
        claude=given is not None and is_claude(given),
        media=_pool_media(own.media),
        source="pool",
    )


def catalogue_pricing(entry: Entry, given: Provider) -> TablePricing:
    """The catalogue's words."""
    written = (None, None) if caches_nothing(given) else (entry.cache_write, entry.cache_write_long)
    return _pricing(
        entry.input,
        entry.cached_input,
        entry.output,
        written,
        claude=is_claude(given),
        media=TableMedia(input=entry.media_input, output=entry.media_output, unit=entry.unit),
        source="catalogue",
        as_of=entry.as_of,
    )


def _pricing(
    input_price: int,
    cached_input: int | None,
    output: int,
    written: tuple[int | None, int | None],
    *,
    claude: bool,
    media: TableMedia | None,
    source: Literal["catalogue", "pool"],
    as_of: str | None = None,
) -> TablePricing:
    """Both prices of cache writes are told or none: a reader then has nothing to make up."""
    write, long = written
    if claude:
        write = -(-input_price * 5 // 4) if write is None else write
        long = input_price * 2 if long is None else long
    if long is None or write is None:
        write, long = (write or long, long or write)
    return TablePricing(
        input=input_price,
        cached_input=cached_input,
        cache_write=write,
        cache_write_long=long,
        output=output,
        media=None if media == TableMedia() else media,
        source=source,
        as_of=as_of,
    )


def _pool_media(own: MediaPricing | None) -> TableMedia | None:
    if own is None:
        return None
    return TableMedia(
        input=_optional(own.input_per_mtok),
        output=_optional(own.output_per_mtok),
        unit=None if own.unit is None else _unit(own.unit),
    )


def _unit(price: UnitPrice) -> int:
    """Picodollars a second, a character or an image."""
    match price.per:
        case "Minute":
            return money.picodollars_per_second(price.price)
        case "MCharacters":
            return money.picodollars_per_token(price.price)
        case "Image":
            return money.picodollars(price.price)


def _optional(usd_per_mtok: str | None) -> int | None:
    return None if usd_per_mtok is None else money.picodollars_per_token(usd_per_mtok)
