// A line over each picture where the sound is; a click on a picture plays from there.
for (const picture of document.querySelectorAll(".timed")) {
  const sound = document.querySelector("audio");
  const image = picture.querySelector("img");
  const { from, to, seconds } = JSON.parse(picture.dataset.time);
  const line = document.createElement("div");
  line.className = "now";
  line.setAttribute("aria-hidden", "true");
  picture.append(line);
  const place = () => {
    const share = from + (to - from) * Math.min(1, sound.currentTime / seconds);
    line.style.left = `${image.offsetLeft + share * image.clientWidth}px`;
    line.style.top = `${image.offsetTop}px`;
    line.style.height = `${image.clientHeight}px`;
    if (!sound.paused) requestAnimationFrame(place);
  };
  for (const event of ["play", "pause", "seeked", "timeupdate", "loadedmetadata"]) {
    sound.addEventListener(event, place);
  }
  addEventListener("resize", place);
  image.addEventListener("load", place);
  image.addEventListener("click", (at) => {
    const share = (at.offsetX / image.clientWidth - from) / (to - from);
    if (share < 0 || share > 1) return;
    sound.currentTime = share * seconds;
    sound.play();
  });
  place();
}
