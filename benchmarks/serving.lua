-- One route for random users and items: `wrk -s serving.lua URL -- KEY USERS ITEMS SEED ROUTE`; the last line is JSON.
local headers, users, items, route

local paths = {
  recommendations = function(user) return "/v1/users/user" .. user .. "/recommendations" end,
  share_targets = function(user, item) return "/v1/users/user" .. user .. "/share-targets?itemId=item" .. item end,
  audience = function(_, item) return "/v1/items/item" .. item .. "/audience" end,
}

function init(arguments)
  headers = { ["Authorization"] = "Bearer " .. arguments[1] }
  users, items = tonumber(arguments[2]), tonumber(arguments[3])
  math.randomseed(tonumber(arguments[4]))
  route = arguments[5]
end

function request()
  return wrk.format("GET", paths[route](math.random(0, users - 1), math.random(0, items - 1)), headers)
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
