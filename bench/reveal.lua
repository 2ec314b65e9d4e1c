-- wrk: each POST confirms another link, each GET opens the same one again and again.
-- The file BENCH_LINKS has a path a line; each thread takes its share.

local threads = 0

function setup(thread)
    thread:set("id", threads)
    threads = threads + 1
end

function init(args)
    paths = {}
    method = args[1]
    count = tonumber(args[2])
    local n = 0

    for line in io.lines(os.getenv("BENCH_LINKS")) do
        if n % count == id then
            paths[#paths + 1] = line
        end
        n = n + 1
    end

    at = 0
    wrk.headers["Accept"] = "text/html"
    wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
end

function request()
    at = at + 1

    if method == "GET" then
        return wrk.format("GET", paths[1])
    end

    if at > #paths then
        wrk.thread:stop()
        at = #paths
    end

    wrk.headers["Idempotency-Key"] = id .. "-" .. at
    return wrk.format("POST", paths[at], nil, "email=ann%40example.com")
end
