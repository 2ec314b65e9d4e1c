-- wrk: files orders and mints a link for each.  BENCH_LINKS is the output file, one path
-- per line; BENCH_BODY is a file with an order; the arguments are the number of the first
-- order and the number of orders.

function init(args)
    local token = os.getenv("BENCH_TOKEN")
    local file = io.open(os.getenv("BENCH_BODY"))

    body = file:read("*a")
    file:close()

    wrk.headers["Authorization"] = "Bearer " .. token
    wrk.headers["Content-Type"] = "application/json"

    at = tonumber(args[1])
    left = tonumber(args[2])
    last = at + left + 1        -- wrk asks for one request that it never sends
    name = os.getenv("BENCH_LINKS")
    links = io.open(name .. ".new", "w")
    filed = {}
end

-- mints the link of an order that was filed, else files the next order

function request()
    local id = table.remove(filed)

    if id then
        return wrk.format("POST", "/mpk/v1/orders/" .. id .. "/links", nil, "{}")
    end

    if at < last then
        at = at + 1
    end

    return wrk.format("PUT", "/mpk/v1/orders/O-" .. at, nil, body)
end

function response(status, headers, body)
    local path = body:match('"url":"http://[^/]+(/r/[^"]+)"')

    if status == 201 then
        filed[#filed + 1] = body:match('"order":"([^"]+)"')

    elseif path then
        links:write(path, "\n")
        left = left - 1

        if left == 0 then
            links:close()
            os.rename(name .. ".new", name)
            wrk.thread:stop()
        end
    end
end
