-- wrk: each POST confirms another link, each GET opens the same link.  BENCH_LINKS is a
-- file with one path per line; each thread takes its share.  Requests are built in init(),
-- so that nginx is measured, not Lua.

local threads = 0

function setup(thread)
    thread:set("id", threads)
    threads = threads + 1
end

function init(args)
    requests = {}
    local method = args[1]
    local count = tonumber(args[2])
    local n = 0

    wrk.headers["Accept"] = "text/html"

    for line in io.lines(os.getenv("BENCH_LINKS")) do
        if n % count == id then
            if method == "GET" then
                requests[1] = wrk.format("GET", line)
                break
            end

            wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
            wrk.headers["Idempotency-Key"] = "key-" .. n
            requests[#requests + 1] = wrk.format("POST", line, nil, "email=ann%40example.com")
        end
        n = n + 1
    end

    single = method == "GET"
    at = 0
end

function request()
    if single then
        return requests[1]
    end

    at = at + 1

    if at >= #requests then
        wrk.thread:stop()
        at = #requests
    end

    return requests[at]
end
