-- Lists of random users: `wrk -s serving.lua URL -- KEY USERS SEED PARAMETERS`; the last line is one JSON object.
local headers, users, parameters

function init(arguments)
  headers = { ["Authorization"] = "Bearer " .. arguments[1] }
  users = tonumber(arguments[2])
  math.randomseed(tonumber(arguments[3]))
  parameters = arguments[4] or ""
end

function request()
  local path = "/v1/users/user" .. math.random(0, users - 1) .. "/recommendations" .. parameters
  return wrk.format("GET", path, headers)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
