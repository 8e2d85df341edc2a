-- Arguments: body file, client key, seed. With a seed every body differs: the "0000000000000000" in it counts up.
local unique, head, front, back, number

function init(args)
  local file = assert(io.open(args[1], "rb"))
  wrk.body = file:read("*a")
  file:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. args[2]
  if not args[3] then return end
  local from, to = wrk.body:find("0000000000000000", 1, true)
  local whole = wrk.format()
  local _, blank = whole:find("\r\n\r\n", 1, true)
  head, front, back = whole:sub(1, blank), wrk.body:sub(1, from - 1), wrk.body:sub(to + 1)
  unique, number = tonumber(args[3]) * 1000000000, 0
  request = function()
    number = number + 1
    return head .. front .. string.format("%016d", unique + number) .. back
  end
  wrk.request = request
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\nresult {"requests":%d,"us":%d,"bytes":%d,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.connect, errors.read, errors.write, errors.status,
    errors.timeout))
end
