-- Sends prepared requests, in order: wrk -s replay.lua URL -- FILE SIZE FIRST
-- FILE holds requests of SIZE bytes each; FIRST is the one to begin with. They are
-- read as they are sent, so a file of any length costs one buffer of memory.

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   file = assert(io.open(args[1], "rb"))
   size = tonumber(args[2])
   file:setvbuf("full", 1048576)
   file:seek("set", size * tonumber(args[3]))
   good, wrapped = 0, 0
end

function request()
   local record = file:read(size)
   if record == nil then
      wrapped = wrapped + 1
      file:seek("set", 0)
      record = file:read(size)
   end
   return record
end

function response(status)
   if status == 200 then
      good = good + 1
   end
end

function done(summary, latency)
   local good, wrapped = 0, 0
   for _, thread in ipairs(threads) do
      good = good + thread:get("good")
      wrapped = wrapped + thread:get("wrapped")
   end
   local e = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "good": %d, "refused": %d, "broken": %d, "wrapped": %d, "us": %d, "p50": %d}\n',
      summary.requests, good, e.status, e.connect + e.read + e.write + e.timeout, wrapped,
      summary.duration, latency:percentile(50)))
end
