"""Which recorded column speaks for which upstream model id, and which ids are the same model.

Only models that have answers to all three tasks, so that every head has seen the same questions
and the probabilities of different models can be compared. `fit` reads it. Left out on purpose:
o1-mini (its hidden reasoning is not in the recorded lengths) and deepseek-chat (the id means a
later model today).
"""

from __future__ import annotations

from typing import Final

COLUMNS: Final = {
    "gpt-4o-2024-08-06": "gpt-4o-2024-08-06",
    "gpt-4o-2024-05-13": "gpt-4o-2024-05-13",
    "gpt-4o-mini-2024-07-18": "gpt-4o-mini-2024-07-18",
    "gpt-3.5-turbo-0125": "gpt-3.5-turbo-0125",
    "claude-3-5-sonnet-20241022": "claude-3-5-sonnet-20241022",
    "claude-3-5-sonnet-20240620": "claude-3-5-sonnet-20240620",
    "claude-3-5-haiku-20241022": "claude-3-5-haiku-20241022",
    "claude-3-opus-20240229": "claude-3-opus-20240229",
    "claude-3-haiku-20240307": "claude-3-haiku-20240307",
    "gemini-1.5-pro": "gemini-1.5-pro",
    "gemini-1.5-flash": "gemini-1.5-flash",
    "mistral-large-2407": "Mistral-Large-2",
    "meta-llama/Meta-Llama-3.1-405B-Instruct": "Llama-3.1-405B-Inst@sambanova",
    "meta-llama/Meta-Llama-3.1-70B-Instruct": "Meta-Llama-3.1-70B-Instruct",
    "meta-llama/Meta-Llama-3.1-8B-Instruct": "Meta-Llama-3.1-8B-Instruct",
    "meta-llama/Meta-Llama-3-70B-Instruct": "Meta-Llama-3-70B-Instruct",
    "meta-llama/Meta-Llama-3-8B-Instruct": "Meta-Llama-3-8B-Instruct",
    "Qwen/Qwen2-72B-Instruct": "Qwen2-72B-Instruct",
    "google/gemma-2-27b-it": "gemma-2-27b-it",
    "google/gemma-2-9b-it": "gemma-2-9b-it",
}
"""Upstream model id to ZeroEval column."""

ALIASES: Final = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "claude-3-5-sonnet-latest": "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-latest": "claude-3-5-haiku-20241022",
    "claude-3-opus-latest": "claude-3-opus-20240229",
    "mistralai/mistral-large-2407": "mistral-large-2407",
    "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo": "meta-llama/Meta-Llama-3.1-405B-Instruct",
    "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo": "meta-llama/Meta-Llama-3.1-70B-Instruct",
    "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo": "meta-llama/Meta-Llama-3.1-8B-Instruct",
    "meta-llama/llama-3.1-70b-instruct": "meta-llama/Meta-Llama-3.1-70B-Instruct",
    "meta-llama/llama-3.1-8b-instruct": "meta-llama/Meta-Llama-3.1-8B-Instruct",
}
"""Other ids under which providers serve the same model (or its quantised form)."""
