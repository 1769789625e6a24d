// Greets, in JSON.

export default function greet(request) {
  const name = new URL(request.url).searchParams.get("name") ?? "world";
  return Response.json({ message: `Hello, ${name}!`, pid: process.pid });
}
