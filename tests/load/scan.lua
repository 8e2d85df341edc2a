-- Arguments: client key, seed, number of hot questions. Every second request is one of the hot questions, the others are
-- asked once.
local number, unique, hot = 0, 0, 0

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  math.randomseed(tonumber(args[2]))
  unique, hot = tonumber(args[2]) * 1000000000, tonumber(args[3])
end

function request()
  number = number + 1
  local question = number % 2 == 0 and "hot " .. math.random(hot) or "once " .. unique + number
  local body = '{"model":"mock-tokens-8","temperature":0,"messages":[{"role":"user","content":"' .. question .. '"}]}'
  return wrk.format(nil, nil, nil, body)
end

function done(summary)
  io.write(string.format('\nresult {"requests":%d,"failed":%d}\n', summary.requests,
    summary.errors.status + summary.errors.read + summary.errors.timeout))
end
