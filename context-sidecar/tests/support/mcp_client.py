"""Drives the MCP endpoint with the official client. The arguments: its URL, headers and calls as JSON, and the mode (`auto`
or `legacy`). What comes is printed, a line each."""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    url, headers, calls, mode = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = await client.list_tools()
            print(json.dumps({
                "server": client.server_info.name,
                "protocol": client.protocol_version,
                "tools": [tool.name for tool in tools.tools],
            }))
            for name, arguments in calls:
                result = await client.call_tool(name, arguments)
                print(json.dumps({
                    "error": bool(result.is_error),
                    "text": "".join(part.text for part in result.content if part.type == "text"),
                    "structured": result.structured_content,
                }))


asyncio.run(main())
