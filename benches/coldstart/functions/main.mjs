// Greets: the function of the Node cases.
export default (request, response) => response.end("hello, world\n");
