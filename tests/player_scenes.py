"""Systems for the tests of the player: a little of everything that a trace can hold, and what nobody should trust."""

from edakit import Crash, Exponential, Faults, Hold, Lab, Partition, Refused, Saga, Service, run

HOSTILE = [
    "<img src=x onerror=window.hit=1>",
    "</script><script>window.hit=1</script>",
    "<!--<script>",
    "\"'><svg onload=window.hit=1>",
    "\u202egnp.exe\u2066 \u05e9\u05dc\u05d5\u05dd",
    "\x00\x1b[31m\r\n\tred\x7f\u2028\u2029",
    "%%{init: {'theme': 'dark'}}%%; end; note over x: # &lt; &#60;",
    "${window.hit=1}`{{constructor.constructor('window.hit=1')()}}",
    "\ud800 lone surrogate",
    "x" * 1_000_000,
]


def shop(lab: Lab, orders: int = 30) -> None:
    """A broker, a saga with a way back, a database, dead letters."""
    payment, inventory, mail, flow = Service("payment"), Service("inventory"), Service("mail"), Saga("flow", on="order.placed")

    @payment.on("charge")
    async def charge(order, ctx):
        await ctx.sleep(0.05)
        if order.data["order"] % 4 == 0:
            raise Refused("no money")
        await ctx.publish("payment.processed", order.data)

    @inventory.on("reserve", "release")
    async def reserve(order, ctx):
        async with ctx.db.transaction() as tx:
            await tx.add("tea", -1 if order.type == "reserve" else 1)

    @mail.on("payment.processed")
    async def tell(order, ctx):
        await ctx.sleep(0.01)
        if order.data["order"] % 7 == 0:
            raise ValueError(f"no address for {order.data['order']}")

    async def put_back(order, ctx):
        await ctx.call("inventory/release", order.data, timeout=9)

    @flow.step(compensate=put_back)
    async def reserve_tea(order, ctx):
        await ctx.call("inventory/reserve", order.data, timeout=9)

    @flow.step()
    async def pay(order, ctx):
        await ctx.call("payment/charge", order.data, timeout=9)

    broker = lab.broker("shop", like="rabbitmq")
    lab.deploy(payment, on=broker, instances=2)
    lab.deploy(inventory, on=broker, db=lab.database("stock", {"tea": 90, "milk": 1}))
    lab.deploy(mail, on=broker, delivery_limit=3)
    lab.deploy(flow, on=broker)
    lab.workload(broker, "order.placed", every=Exponential(0.04), count=orders, key="order")


def log(lab: Lab, ticks: int = 40) -> None:
    """A stream with two groups."""
    ticker = lab.stream("ticks", partitions=3, like="kafka")
    for name, work in {"billing": 0.03, "audit": 0.005}.items():
        service = Service(name)

        @service.on("#")
        async def handle(tick, ctx, work=work):
            await ctx.sleep(work)

        lab.deploy(service, on=ticker, instances=2 if name == "billing" else 1)
    keys = ["ada", "bob", "eve", "joe"]
    lab.workload(ticker, "price.tick", every=0.02, count=ticks, data=lambda n, random: {"who": random.choice(keys)}, key="who")


def web(lab: Lab, requests: int = 20) -> None:
    """A server that is asked directly."""
    api, bank = Service("api"), Service("bank")

    @api.on("buy")
    async def buy(request, ctx):
        return await ctx.call("bank", request.data, timeout=0.03)

    @bank.on("pay")
    async def pay(request, ctx):
        await ctx.sleep(0.02 + 0.02 * ctx.random.random())

    server = lab.server("http", threads=2)
    lab.deploy(api, on=server)
    lab.deploy(bank, on=server)
    lab.workload(server, "api/buy", every=Exponential(0.02), count=requests)


def wide(lab: Lab, messages: int = 2_000) -> None:
    """20 nodes: two clients, two brokers, 15 services, a database."""
    shop, post = lab.broker("shop", like="rabbitmq"), lab.broker("post", like="rabbitmq")
    stock = lab.database("stock", {"tea": 900})
    for n in range(15):
        service = Service(f"service-{n + 1}")

        @service.on(f"order.{n}")
        async def handle(order, ctx, n=n):
            await ctx.sleep(0.02)
            if n % 5 == 0:
                await ctx.publish("mail.sent", order.data)
            if n == 1:
                await ctx.db.add("tea", -1)

        lab.deploy(service, on=shop, publishes=post if n % 5 == 0 else None, db=stock if n == 1 else None)
    for n in range(15):
        count = messages // 15 + (n < messages % 15)
        lab.workload(shop, f"order.{n}", every=Exponential(0.15), count=count, key="order", source="web" if n else "phone")


def hostile() -> Lab:
    """Everything that a learner can choose freely, chosen badly."""
    lab, service = Lab(seed=1), Service("reader")

    @service.on("#")
    async def handle(event, ctx):
        ctx.log(event.data["text"])
        raise ValueError(event.data["text"])

    broker = lab.broker("shop")
    lab.deploy(service, on=broker, on_error="reject")
    stream, member = lab.stream("topic"), Service("member")

    @member.on("#")
    async def read(event, ctx):
        await ctx.db.put(event.data["text"][:200], event.data["text"])

    lab.deploy(member, on=stream, group=HOSTILE[0], db=lab.database("store"))
    for text in HOSTILE:
        broker.publish(f"order.{text}", {"text": text, text: [text]}, key=text)
        stream.publish(f"order.{text}", {"text": text}, key=text)
    return lab.run()


RUNS = {
    "shop": lambda: run(shop, seed=3, faults=Faults(drop=0.02, duplicate=0.02) + Crash("payment.1", at=0.4, restart_after=0.5)),
    "held": lambda: run(
        shop, seed=4, faults=Hold("shop", "mail", at=0.1, until=0.9) + Partition("shop", "inventory", at=0.3, until=0.5)
    ),
    "log": lambda: run(log, seed=5, faults=Crash("billing.1", at=0.3, restart_after=20)),
    "web": lambda: run(web, seed=6, faults=Crash("bank", at=0.2, restart_after=0.1)),
    "hostile": hostile,
}
