-- What wrk sends: chat, Responses and Messages, half of them streamed, of three sizes of prompt. The
-- user agent, which sidecars pass on, names the fault that the simulated provider plays; most name none.
-- Arguments: milliseconds that each connection pauses before a call (0: none), then the faults' names.

local pause, faults, calls = 0, {}, {}
local HEALTHY = 0.85

local function shapes(text, streamed)
  local messages = string.format('[{"role":"user","content":"%s"}]', text)
  local flag = tostring(streamed)
  return {
    { "/v1/chat/completions", string.format('{"model":"auto","stream":%s,"messages":%s}', flag, messages) },
    { "/v1/responses", string.format('{"model":"auto","stream":%s,"input":"%s"}', flag, text) },
    { "/v1/messages", string.format('{"model":"auto","stream":%s,"max_tokens":100,"messages":%s}', flag, messages) },
  }
end

function init(arguments)
  math.randomseed(os.time())
  pause = tonumber(arguments[1])
  for place = 2, #arguments do
    faults[#faults + 1] = arguments[place]
  end
  for _, words in ipairs({ 5, 60, 2000 }) do
    for _, streamed in ipairs({ true, false }) do
      for _, call in ipairs(shapes(string.rep("word ", words), streamed)) do
        calls[#calls + 1] = call
      end
    end
  end
end

function delay()
  return pause
end

function request()
  local call = calls[math.random(#calls)]
  local agent = "none"
  if math.random() > HEALTHY then
    agent = faults[math.random(#faults)]
  end
  local headers = { ["content-type"] = "application/json", ["user-agent"] = agent }
  return wrk.format("POST", call[1], headers, call[2])
end
